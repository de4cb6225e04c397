// A SOAP client from the served WSDL and docs/profile.md: Node.js and the npm package soap; nothing of Passerelle.
// `node soap.js FOLDER`: FOLDER holds client.properties and the files of the page's section 1; a JSON report on stdout.
'use strict';

const crypto = require('node:crypto');
const fs = require('node:fs');
const https = require('node:https');
const path = require('node:path');
const axios = require('axios');
const soap = require('soap');
const { changes, headerBlocks, security, verify } = require('./signature.js');

const SERVICES = ['echo', 'nirec', 'subjects', 'acknowledgement', 'waitlist', 'registrations',
  'registration_changes', 'batches', 'placements'];
const CHILD = ['nirec', 'family_name', 'given_names', 'birth_date'];
// Of the waiting list: every region, one of them, and a day before anything was counted.
const QUESTIONS = {
  all: { as_of: '2026-10-31' },
  one: { as_of: '2027-06-01', region: '13' },
  none: { as_of: '2024-12-31' },
};

const folder = process.argv[2];
const read = (name) => fs.readFileSync(path.join(folder, name));
const own = Object.fromEntries(
  read('client.properties').toString().trimEnd().split('\n').map((row) => {
    const at = row.indexOf('=');
    return [row.slice(0, at), row.slice(at + 1)];
  }),
);
const keys = { signing: read('signing.key'), certificate: read('signing.pem'), gateway: read('gateway.pem') };
const agent = new https.Agent({
  ca: read('gateway-root.pem'), cert: read('tls.pem'), key: read('tls.key'), minVersion: 'TLSv1.3', keepAlive: true,
});
const request = axios.create({ httpsAgent: agent, proxy: false, timeout: 20000 });
const soap12 = own.soap === '1.2';
const SOAP = soap12 ? 'http://www.w3.org/2003/05/soap-envelope' : 'http://schemas.xmlsoap.org/soap/envelope/';
// By itself the package makes of a day a moment, of a decimal a double, and of an element that is nil an absent one.
const asWritten = (text) => text;
const reading = {
  customDeserializer: { date: asWritten, dateTime: asWritten, decimal: asWritten }, handleNilAsNull: true,
};
const salt = () => crypto.randomBytes(16).toString('base64');

// A child who is to be born.
const REGISTRATION = {
  family_name: 'Tremblay', expected_date: '2027-03-01', region: '06', desired_on: '2027-09-01',
  service_wanted: 'cpe', service_held: 'none',
  parents: { parent: [{ family_name: 'Gagnon', given_names: 'Marie-Ève', phone: '418-555-0100' }] },
};

// By operation: the client of its service, and what it sends it under.
async function connect() {
  const operations = {};
  for (const service of SERVICES) {
    const options = { request, forceSoap12Headers: soap12, disableCache: true, ...reading };
    const client = await soap.createClientAsync(`${own.origin}/soap/${service}/v1?wsdl`, options);
    for (const [name, { action, address }] of Object.entries(described(client))) {
      operations[name] = { client, action, address };
    }
  }
  return operations;
}

// What the WSDL says of each operation: its action and its address.
function described(client) {
  const found = {};
  for (const service of Object.values(client.wsdl.services)) {
    for (const port of Object.values(service.ports)) {
      for (const [name, method] of Object.entries(port.binding.methods)) {
        found[name] = { action: method.soapAction, address: port.location };
      }
    }
  }
  return found;
}

// One exchange: the report of its answer or of its Fault, verified.
async function call(operations, terms, name, fields) {
  const { client, action, address } = operations[name];
  const id = `urn:uuid:${crypto.randomUUID()}`;
  client.clearSoapHeaders();
  client.addSoapHeader(headerBlocks(address, action, id, own[`${terms}.agreement`], own[`${terms}.purpose`]));
  client.setSecurity(security(keys)); // a new one for each message: it keeps the references of the last
  try {
    await client[`${name}Async`](fields);
  } catch (error) {
    if (!error.response) throw error;
  }
  const sent = { xml: client.lastRequest, id, address, action, client };
  return { ...report(client.lastResponse, sent), sent };
}

// What was proven, read from what was signed and from nothing else of the message.
function report(received, sent) {
  const { body, code, covered, own: blocks } = verify(received, sent, keys.gateway);
  const digest = crypto.createHash('sha256').update(body).digest('base64');
  const found = { covered, ...blocks, 'body-digest': `sha-256=:${digest}:`, received };
  if (code) return { ...found, code };
  const said = sent.client.wsdl.xmlToObject(`<e:Envelope xmlns:e="${SOAP}">${body}</e:Envelope>`).Body;
  const payload = Object.keys(said).find((name) => name !== 'attributes');
  return { ...found, fields: plain(said[payload]) };
}

// The fields without the salt, those that are attributes among the others.
function plain({ salt: _, attributes, ...fields }) {
  return { ...fields, ...attributes };
}

// The statistics with plain lists: the schema has an element around each, and an empty one is null to the package.
function unwrapped({ regions, ...said }) {
  const lists = (regions?.region ?? []).map(plain);
  return { ...said, regions: lists.map((one) => ({ ...one, definitions: one.definitions.definition })) };
}

// The same bytes once more.
async function replay({ sent }) {
  const headers = soap12
    ? { 'Content-Type': `application/soap+xml; charset=utf-8; action="${sent.action}"` }
    : { 'Content-Type': 'text/xml; charset=utf-8', SOAPAction: `"${sent.action}"` };
  const answer = await request.post(sent.address, sent.xml, { headers, validateStatus: () => true });
  return report(answer.data, sent);
}

// Whether each change of a good answer is seen.
function notices({ received, sent }) {
  const found = {};
  for (const [name, change] of Object.entries(changes)) {
    try {
      verify(change(received), sent, keys.gateway);
      found[name] = false;
    } catch {
      found[name] = true;
    }
  }
  return found;
}

async function main() {
  const operations = await connect();
  const child = Object.fromEntries(CHILD.map((name) => [name, own[name]]));
  const found = {};
  const echo = await call(operations, 'echo', 'Echo', { message: "d'ailleurs: été" });
  found.echo = echo;
  found.notices = notices(echo);
  found.replayed = await replay(echo);
  found.refused = await call(operations, 'refused', 'Echo', { message: 'x' });
  found.verification = await call(operations, 'nirec.verify', 'NirecVerify', { ...child, salt: salt() });
  const known = found.verification.fields.handle;
  found.acknowledgement = await call(operations, 'nirec.verify', 'ExchangeAcknowledge', {
    exchange_id: found.verification['Exchange-Id'],
    ledger_leaf: found.verification['Ledger-Leaf'],
    answer_digest: found.verification['body-digest'],
    handle: known,
  });
  const { family_name, birth_date } = child;
  const person = { family_name, birth_date, salt: salt() };
  found.searched = await call(operations, 'registration.search', 'RegistrationSearch', person);
  const notice = { handle: known, addressee: 'ministry', event: 'offered', date: '2026-11-23' };
  const place = { permit: '1234-5678', region: '06', salt: salt() };
  found.notified = await call(operations, 'placement.notify', 'PlacementNotify', { ...notice, ...place });
  found.registered = await call(operations, 'registration.get', 'RegistrationGet', { handle: known });
  found.expected = await call(operations, 'subject.expect', 'SubjectExpect', { reference: 'dossier 12', salt: salt() });
  const { handle } = found.expected.fields;
  const born = () => ({ handle, ...child, salt: salt() });
  found.known_already = await call(operations, 'subject.birth', 'SubjectBirth', born());
  found.merged = await call(operations, 'subject.merge', 'SubjectMerge', {
    handle, other_handle: known, reason: 'duplicate_file',
  });
  found.born = await call(operations, 'subject.birth', 'SubjectBirth', born());
  const { handle: newborn } = (await call(operations, 'subject.expect', 'SubjectExpect', {
    reference: 'dossier 13', salt: salt(),
  })).fields;
  found.created = await call(operations, 'registration.create', 'RegistrationCreate', {
    handle: newborn, ...REGISTRATION, salt: salt(),
  });
  found.changed = await call(operations, 'registration.change', 'RegistrationChange', {
    handle: newborn, if_state: found.created.fields.state_after, region: '03', salt: salt(),
  });
  found.withdrawn = await call(operations, 'registration.withdraw', 'RegistrationWithdraw', {
    handle: newborn, if_state: found.changed.fields.state_after, reason: 'family_left', salt: salt(),
  });
  const announced = { records: 1, rejected: 0, commitment: '0'.repeat(64) };
  found.batch = await call(operations, 'batch.open', 'BatchOpen', announced);
  const { batch } = found.batch.fields;
  const line = () => ({ batch, line: '1', ...child, salt: salt() });
  found.record = await call(operations, 'batch.verify', 'BatchVerify', line());
  found.again = await call(operations, 'batch.answer', 'BatchAnswer', line());
  found.progress = await call(operations, 'batch.get', 'BatchGet', { batch });
  found.statistics = {};
  for (const [name, asked] of Object.entries(QUESTIONS)) {
    const answer = await call(operations, 'waitlist.statistics', 'WaitlistStatistics', asked);
    found.statistics[name] = { ...answer, fields: unwrapped(answer.fields) };
  }
  found.counted = await call(operations, 'waitlist.counts', 'WaitlistCounts', { as_of: QUESTIONS.all.as_of });
  agent.destroy();
  process.stdout.write(JSON.stringify(found, (name, value) => (name === 'sent' || name === 'received' ? undefined : value)));
}

main().catch((error) => {
  process.stderr.write(`${error.stack}\n`);
  process.exitCode = 1;
});
