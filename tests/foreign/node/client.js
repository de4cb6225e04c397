// A client from docs/profile.md: Node.js and the npm package http-message-signatures; nothing of Passerelle.
// `node client.js FOLDER`: FOLDER holds client.properties and the files of section 1; a JSON report on stdout.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');
const { httpbis } = require('http-message-signatures');
const { proven } = require('./receipt.js');

const folder = process.argv[2];
const read = (name) => fs.readFileSync(path.join(folder, name));
const own = Object.fromEntries(
  read('client.properties').toString().trimEnd().split('\n').map((row) => {
    const at = row.indexOf('=');
    return [row.slice(0, at), row.slice(at + 1)];
  }),
);
const agent = new https.Agent({
  ca: read('gateway-root.pem'), cert: read('tls.pem'), key: read('tls.key'), minVersion: 'TLSv1.3', keepAlive: true,
});

const certificate = (name) => new crypto.X509Certificate(read(name));
const keyid = (one) => crypto.createHash('sha256').update(one.raw).digest('base64url');
const gateway = certificate('gateway.pem');
const digest = (body) => `sha-256=:${crypto.createHash('sha256').update(body).digest('base64')}:`;

const QUESTION = { as_of: '2027-06-01', region: '13' };
const FIELDS = ['@method', '@target-uri', 'exchange-agreement', 'exchange-purpose'];
// Only of a request with a body, which a GET has not.
const CONTENT = ['content-digest', 'content-type'];
const ALWAYS = ['"@status"', '"content-digest"', '"exchange-id"', '"ledger-leaf"', '"ledger-by"', '"@method";req'];
const BOUND = ['"@target-uri";req', '"signature";req;key="sig1"', '"signature-input";req;key="sig1"'];

// The package's own signer takes the longest RSA-PSS salt that fits; the profile wants 64 bytes (section 4).
function rawSignature(data) {
  const key = crypto.createPrivateKey(read('signing.key'));
  switch (own.algorithm) {
    case 'ed25519':
      return crypto.sign(null, data, key);
    case 'ecdsa-p256-sha256':
      return crypto.sign('sha256', data, { key, dsaEncoding: 'ieee-p1363' });
    default:
      return crypto.sign('sha512', data, { key, padding: crypto.constants.RSA_PKCS1_PSS_PADDING, saltLength: 64 });
  }
}

function sign(target, fields, agreement, purpose) {
  const body = Buffer.from(JSON.stringify(fields));
  return signed('POST', target, agreement, purpose, body, {
    'Content-Type': 'application/json', 'Content-Length': String(body.length), 'Content-Digest': digest(body),
  });
}

// The one GET, which asks in its query.
function ask(target, fields, agreement, purpose) {
  return signed('GET', `${target}?${new URLSearchParams(fields)}`, agreement, purpose);
}

function signed(method, target, agreement, purpose, body, content = {}) {
  const config = {
    name: 'sig1',
    key: { id: keyid(certificate('signing.pem')), alg: own.algorithm, sign: async (data) => rawSignature(data) },
    fields: body ? [...FIELDS, ...CONTENT] : FIELDS,
    params: ['created', 'nonce', 'keyid', 'alg', 'tag'],
    paramValues: { nonce: crypto.randomBytes(16).toString('base64'), tag: 'passerelle' },
  };
  return httpbis.signMessage(config, {
    method,
    url: own.origin + target,
    headers: { ...content, 'Exchange-Agreement': agreement, 'Exchange-Purpose': purpose },
    body,
  });
}

function send(request) {
  return new Promise((resolve, reject) => {
    const outgoing = https.request(request.url, { method: request.method, headers: request.headers, agent }, (answer) => {
      const parts = [];
      answer.on('data', (part) => parts.push(part));
      answer.on('end', () => resolve({ status: answer.statusCode, headers: answer.headers, body: Buffer.concat(parts) }));
    });
    outgoing.setTimeout(20000, () => outgoing.destroy(new Error('no answer')));
    outgoing.on('error', reject);
    outgoing.end(request.body);
  });
}

// Section 5: what the answer covers; throws unless it proves itself.
async function verify(request, answer) {
  const good = await httpbis.verifyMessage({
    keyLookup: async (params) => (params.keyid !== keyid(gateway) || params.tag !== 'passerelle' ? null : {
      id: params.keyid,
      verify: async (data, signature) => crypto.verify(
        'sha256', data, { key: gateway.publicKey, dsaEncoding: 'ieee-p1363' }, signature,
      ),
    }),
    tolerance: 30,
  }, answer, request);
  const input = answer.headers['signature-input'];
  const covered = input.slice(input.indexOf('(') + 1, input.indexOf(')')).split(' ').sort();
  const problem = answer.headers['content-type'] === 'application/problem+json' && answer.status >= 400;
  const bound = request.body ? [...BOUND, '"content-digest";req'] : BOUND;
  const needed = problem ? ALWAYS : [...ALWAYS, ...bound];
  if (good !== true) throw new Error('the signature does not hold');
  if (!needed.every((name) => covered.includes(name))) throw new Error('the answer does not cover all that it must');
  if (answer.headers['content-digest'] !== digest(answer.body)) throw new Error('the body differs');
  return covered;
}

async function report(request) {
  const answer = await send(request);
  const covered = await verify(request, answer);
  const kept = ['exchange-id', 'ledger-leaf', 'ledger-by', 'content-digest'].map((name) => [name, answer.headers[name]]);
  return { status: answer.status, covered, body: JSON.parse(answer.body), ...Object.fromEntries(kept) };
}

// Whether each change of a good answer is seen.
async function notices(request) {
  const answer = await send(request);
  await verify(request, answer);
  const body = Buffer.from(answer.body);
  body[body.length - 1] ^= 1;
  const other = { ...answer.headers, 'exchange-id': '00000000-0000-4000-8000-000000000000' };
  const spoilt = {
    body: [request, { ...answer, body }],
    status: [request, { ...answer, status: 201 }],
    header: [request, { ...answer, headers: other }],
    request: [{ ...request, url: `${request.url}/` }, answer],
  };
  const found = {};
  for (const [name, [asked, said]] of Object.entries(spoilt)) {
    found[name] = await verify(asked, said).then(() => false, () => true);
  }
  return found;
}

// Section 6: says under our signature which answer we have; the members stand in the order of their names.
function acknowledge(found) {
  const said = {
    answer_digest: found['content-digest'], handle: found.body.handle, ledger_leaf: found['ledger-leaf'],
  };
  const target = `/v1/exchanges/${found['exchange-id']}/acknowledgement`;
  return sign(target, said, own['verify.agreement'], own['verify.purpose']);
}

// Section 6: the receipt once the log has the exchange.
async function receipt(id) {
  for (;;) {
    const answer = await send({ method: 'GET', url: `${own.origin}/v1/exchanges/${id}/receipt`, headers: {} });
    if (answer.status !== 202) return answer.body.toString();
    await new Promise((resolve) => { setTimeout(resolve, 200); });
  }
}

async function main() {
  const message = { message: "d'ailleurs: été" };
  const echo = (purpose) => sign('/v1/echo', message, own['echo.agreement'], purpose);
  const child = { salt: crypto.randomBytes(16).toString('base64') };
  for (const name of ['nirec', 'family_name', 'given_names', 'birth_date']) child[name] = own[name];
  const first = await echo(own['echo.purpose']);
  const found = { echo: await report(first), replayed: await report(first), refused: await report(await echo('autre')) };
  const asked = await sign('/v1/nirec/verifications', child, own['verify.agreement'], own['verify.purpose']);
  found.verification = await report(asked);
  found.acknowledgement = await report(await acknowledge(found.verification));
  const terms = [own['waitlist.statistics.agreement'], own['waitlist.statistics.purpose']];
  found.statistics = await report(await ask('/v1/waitlist/statistics', QUESTION, ...terms));
  found.notices = await notices(await echo(own['echo.purpose']));
  found.receipt = await receipt(found.verification['exchange-id']);
  const set = await send({ method: 'GET', url: `${own.origin}/.well-known/jwks.json`, headers: {} });
  const { keys } = JSON.parse(set.body);
  const vkey = read('log.vkey').toString().trim();
  found.index = proven(found.receipt, keys, found.verification, vkey);
  const other = { ...found.verification, 'ledger-leaf': found.echo['ledger-leaf'] };
  const wrongKey = vkey.replace(/\+[^+]{4}/, '+0000');
  for (const [name, answer, log] of [['leaf', other, vkey], ['log', found.verification, wrongKey]]) {
    try {
      proven(found.receipt, keys, answer, log);
      found.notices[name] = false;
    } catch {
      found.notices[name] = true;
    }
  }
  agent.destroy();
  process.stdout.write(JSON.stringify(found));
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
