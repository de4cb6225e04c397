// A receipt and its proof (docs/profile.md, section 6): with node:crypto alone.
'use strict';

const crypto = require('node:crypto');

const sha256 = (...parts) => parts.reduce((hash, part) => hash.update(part), crypto.createHash('sha256')).digest();
const decoded = (part) => Buffer.from(part, 'base64url');

function need(holds, what) {
  if (!holds) throw new Error(what);
}

// The claims of a receipt, signed by a key of the set and about this answer.
function claimsOf(jws, keys, answer) {
  const [head, payload, signature] = jws.split('.');
  const header = JSON.parse(decoded(head));
  const wanted = { alg: 'ES256', typ: 'passerelle-receipt+jwt', kid: header.kid };
  need(Object.keys(header).every((name) => header[name] === wanted[name]), 'no receipt');
  need(header.alg && header.typ, 'no receipt');
  const jwk = keys.find((one) => one.kid === header.kid);
  const key = crypto.createPublicKey({ key: jwk, format: 'jwk' });
  const good = crypto.verify(
    'sha256', Buffer.from(`${head}.${payload}`), { key, dsaEncoding: 'ieee-p1363' }, decoded(signature),
  );
  need(good, 'a receipt that nobody signed');
  const claims = JSON.parse(decoded(payload));
  need(claims.exchange_id === answer['exchange-id'], 'a receipt of another exchange');
  need(claims.ledger_leaf === answer['ledger-leaf'], 'a receipt of another leaf');
  return claims;
}

// Size and root of a checkpoint that the log's key signed.
function checkpoint(note, vkey) {
  const [origin, id] = vkey.split('+', 2);
  const key = Buffer.from(vkey.slice(origin.length + id.length + 2), 'base64');
  const [body, line] = note.split('\n\n');
  const [name, size, root] = body.split('\n');
  const value = Buffer.from(line.trimEnd().split(' ')[2], 'base64');
  need(name === origin && line.startsWith(`\u2014 ${origin} `), 'another log');
  const keyId = sha256(`${origin}\n`, key).subarray(0, 4);
  need(keyId.toString('hex') === id && value.subarray(0, 4).equals(keyId), 'another key');
  const spki = Buffer.concat([Buffer.from('302a300506032b6570032100', 'hex'), key.subarray(1)]);
  const ed25519 = crypto.createPublicKey({ key: spki, format: 'der', type: 'spki' });
  need(crypto.verify(null, Buffer.from(`${body}\n`), ed25519, value.subarray(4)), 'a checkpoint that nobody signed');
  return { size: Number(size), root: Buffer.from(root, 'base64') };
}

// The place in the log that a receipt proves for an answer; throws unless it does.
function proven(jws, keys, answer, vkey) {
  const claims = claimsOf(jws, keys, answer);
  const at = claims.proof.indexOf('\n\n');
  const [first, index, ...hashes] = claims.proof.slice(0, at).split('\n');
  const { size, root } = checkpoint(claims.proof.slice(at + 2), vkey);
  need(first === 'c2sp.org/tlog-proof@v1' && index === `index ${claims.index}`, 'another proof');
  let [node, last, hash] = [claims.index, size - 1, Buffer.from(answer['ledger-leaf'], 'base64')];
  need(node <= last, 'beyond the log');
  for (const text of hashes) {
    const other = Buffer.from(text, 'base64');
    need(last > 0, 'too long a proof');
    if (node % 2 === 1 || node === last) {
      hash = sha256(Buffer.of(1), other, hash);
      while (node % 2 === 0 && node !== 0) [node, last] = [node / 2, Math.floor(last / 2)];
    } else {
      hash = sha256(Buffer.of(1), hash, other);
    }
    [node, last] = [Math.floor(node / 2), Math.floor(last / 2)];
  }
  need(last === 0 && hash.equals(root), 'the proof leads to another root');
  return claims.index;
}

module.exports = { proven };
