// WS-Security as docs/profile.md chooses it, for the npm package soap: RSA to sign, xml-crypto to verify what comes.
'use strict';

const crypto = require('node:crypto');
const { DOMParser, XMLSerializer } = require('@xmldom/xmldom');
const soap = require('soap');
const { SignedXml } = require('xml-crypto');

const WSA = 'http://www.w3.org/2005/08/addressing';
const EXCHANGE = 'urn:passerelle:exchange:v1';
const OASIS = 'http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss';
const WSSE = `${OASIS}-wssecurity-secext-1.0.xsd`;
const WSU = `${OASIS}-wssecurity-utility-1.0.xsd`;
const DS = 'http://www.w3.org/2000/09/xmldsig#';
const EXCLUSIVE = 'http://www.w3.org/2001/10/xml-exc-c14n#';
const SHA256 = 'http://www.w3.org/2001/04/xmlenc#sha256';
const RSA = 'http://www.w3.org/2001/04/xmldsig-more#rsa-sha256';
const ECDSA = 'http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256';

const OWN = ['Exchange-Id', 'Ledger-Leaf', 'Ledger-By'];
// A request that was refused before it was proven has no signature that could be confirmed.
const EARLY = ['Body', 'Timestamp', 'Action', 'MessageID', ...OWN];
const ANSWERS = [...EARLY, 'RelatesTo', 'SignatureConfirmation'];

const escaped = (text) => text.replace(/&/g, '&amp;').replace(/</g, '&lt;');

// The header blocks that a request signs.
function headerBlocks(to, action, id, agreement, purpose) {
  const blocks = [
    ...[['To', to], ['Action', action], ['MessageID', id]].map((one) => ['wsa', WSA, ...one]),
    ...[['Agreement', agreement], ['Purpose', purpose]].map(([name, text]) => ['px', EXCHANGE, `Exchange-${name}`, text]),
    ['px', EXCHANGE, 'Idempotency-Key', crypto.randomUUID()],
  ];
  return blocks.map(([prefix, uri, name, text]) => (
    `<${prefix}:${name} xmlns:${prefix}="${uri}">${escaped(text)}</${prefix}:${name}>`
  )).join('');
}

// The package's own security, for one message. Its own Timestamp spans ten minutes, twice what is accepted.
function security({ signing, certificate }) {
  const now = Date.now();
  const instant = (at) => new Date(at).toISOString();
  return new soap.WSSecurityCert(signing.toString(), certificate.toString(), '', {
    hasTimeStamp: false,
    appendElement: `<wsu:Timestamp><wsu:Created>${instant(now)}</wsu:Created>`
      + `<wsu:Expires>${instant(now + 120000)}</wsu:Expires></wsu:Timestamp>`,
    additionalReferences: [
      'wsu:Timestamp', 'wsa:To', 'wsa:Action', 'wsa:MessageID', 'px:Exchange-Agreement', 'px:Exchange-Purpose',
      'px:Idempotency-Key',
    ],
    signatureAlgorithm: RSA,
    digestAlgorithm: SHA256,
    signatureTransformations: [EXCLUSIVE],
    signerOptions: { prefix: 'ds', idMode: 'wssecurity', existingPrefixes: { wsse: WSSE } },
  });
}

// ECDSA is not among xml-crypto's algorithms; Node.js has it.
class EcdsaSha256 {
  getAlgorithmName() { return ECDSA; }

  getSignature() { throw new Error('only to verify'); }

  verifySignature(data, key, value) {
    const ieee = { key, dsaEncoding: 'ieee-p1363' };
    return crypto.verify('sha256', Buffer.from(data), ieee, Buffer.from(value, 'base64'));
  }
}

function need(holds, what) {
  if (!holds) throw new Error(what);
}

const elements = (node) => Array.from(node.childNodes).filter((child) => child.nodeType === 1);
const all = (node, uri, name) => Array.from(node.getElementsByTagNameNS(uri, name));
const base64 = (text) => text.replace(/\s/g, '');

// What an answer's signature covers; throws unless the gateway signed it, in answer to what was sent.
function verify(xml, sent, gatewayPem) {
  const envelope = new DOMParser().parseFromString(xml, 'text/xml').documentElement;
  const [header, body, ...more] = elements(envelope);
  need(header.localName === 'Header' && body.localName === 'Body' && more.length === 0, 'no such envelope');
  const [security_, ...others] = elements(header).filter((one) => one.namespaceURI === WSSE);
  const signatures = all(envelope, DS, 'Signature');
  need(signatures.length === 1 && others.length === 0, 'more than one signature');
  // 1  the gateway's key, and no other that the message may bring
  const gateway = new crypto.X509Certificate(gatewayPem);
  const token = base64(all(security_, WSSE, 'BinarySecurityToken')[0].textContent);
  need(token === gateway.raw.toString('base64'), 'another key');
  // 2  the signature holds, by the profile's algorithms alone
  const signed = new SignedXml({ publicCert: gateway.publicKey });
  signed.SignatureAlgorithms = { [ECDSA]: EcdsaSha256 };
  signed.HashAlgorithms = { [SHA256]: signed.HashAlgorithms[SHA256] };
  signed.CanonicalizationAlgorithms = { [EXCLUSIVE]: signed.CanonicalizationAlgorithms[EXCLUSIVE] };
  signed.loadSignature(signatures[0]);
  need(signed.checkSignature(xml) === true, 'the signature does not hold');
  // 3  each reference names a node in the place where it is read; from here on only what was signed is read
  const ids = [body, ...elements(header), ...elements(security_)].map((one) => one.getAttributeNS(WSU, 'Id'));
  need(signed.getReferences().every(({ uri }) => ids.includes(uri.slice(1))), 'a reference to another place');
  const forms = signed.getSignedReferences();
  const parts = Object.fromEntries(forms.map((form) => {
    const root = new DOMParser().parseFromString(form, 'text/xml').documentElement;
    return [root.localName, { root, form }];
  }));
  const faulted = elements(parts.Body.root)[0].localName === 'Fault';
  const code = faulted ? all(parts.Body.root, EXCHANGE, 'code')[0].textContent : undefined;
  need((faulted ? EARLY : ANSWERS).every((name) => name in parts), 'does not cover all that it must');
  // 4  now, and for this request
  const text = (name) => parts[name].root.textContent;
  const [created, expires] = elements(parts.Timestamp.root).map((one) => Date.parse(one.textContent));
  need(created - 30000 <= Date.now() && Date.now() <= expires + 30000, 'not now');
  need(!parts.RelatesTo || text('RelatesTo') === sent.id, 'the answer to another request');
  if (parts.SignatureConfirmation) {
    const value = all(new DOMParser().parseFromString(sent.xml, 'text/xml'), DS, 'SignatureValue')[0].textContent;
    const confirmed = parts.SignatureConfirmation.root.getAttribute('Value');
    need(confirmed === base64(value), 'the answer to another signature');
  }
  return {
    covered: Object.keys(parts).sort(),
    own: Object.fromEntries(OWN.map((name) => [name, text(name)])),
    body: parts.Body.form,
    code,
  };
}

// An answer with one thing changed in its document.
const changed = (change) => (xml) => {
  const document = new DOMParser().parseFromString(xml, 'text/xml');
  change(document);
  return new XMLSerializer().serializeToString(document);
};
const other = (uri, name, text) => changed((document) => { all(document, uri, name)[0].textContent = text; });

// Changes of an answer to an echo, each of which must be seen.
const changes = {
  body: other('urn:passerelle:echo:v1', 'message', 'changed'),
  header: other(EXCHANGE, 'Exchange-Id', '00000000-0000-4000-8000-000000000000'),
  request: other(WSA, 'RelatesTo', 'urn:uuid:00000000-0000-4000-8000-000000000000'),
  // the signed Body moved aside, another in its place: the oldest attack on XML signatures
  wrapped: changed((document) => {
    const [header, body] = elements(document.documentElement);
    const copy = body.cloneNode(true);
    copy.removeAttributeNS(WSU, 'Id');
    document.documentElement.replaceChild(copy, body);
    header.appendChild(document.createElementNS('urn:wrapper', 'w:Wrapper')).appendChild(body);
  }),
};

module.exports = { changes, headerBlocks, security, verify };
