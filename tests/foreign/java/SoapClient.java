import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.SecureRandom;
import java.time.Duration;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.UUID;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/**
 * A SOAP client from the served WSDL and docs/profile.md with nothing but the JDK, and nothing of Passerelle.
 *
 * <p>{@code java SoapClient FOLDER}: FOLDER holds client.properties and the files of section 1; a JSON report on stdout.
 */
public final class SoapClient {
    private static final List<String> SERVICES = List.of(
            "echo", "nirec", "subjects", "acknowledgement", "waitlist", "registrations", "registration_changes", "batches",
            "placements");
    /** Of the waiting list: every region, one of them, and a day before anything was counted. */
    private static final Map<String, Map<String, String>> QUESTIONS = Map.of(
            "all", Map.of("as_of", "2026-10-31"),
            "one", Map.of("as_of", "2027-06-01", "region", "13"),
            "none", Map.of("as_of", "2024-12-31"));
    /** A child who is to be born, and who registers it. */
    private static final Map<String, String> REGISTRATION = Map.of(
            "family_name", "Tremblay", "expected_date", "2027-03-01", "region", "06", "desired_on", "2027-09-01",
            "service_wanted", "cpe", "service_held", "none");
    private static final Map<String, String> PARENT = new LinkedHashMap<>();

    static {
        PARENT.put("family_name", "Gagnon");
        PARENT.put("given_names", "Marie-Ève");
        PARENT.put("phone", "418-555-0100");
    }

    private final Map<String, String> own = new HashMap<>();
    private final Map<String, Wsdl.Operation> operations = new HashMap<>();
    private final SecureRandom random = new SecureRandom();
    private final WsSecurity security;
    private final HttpClient http;
    private final boolean soap12;
    private final String namespace;

    /** An exchange: what was sent, the answer as it came and what it proves. */
    private record Exchange(Wsdl.Operation operation, WsSecurity.Sent sent, byte[] received, WsSecurity.Proven proven) {
        String field(String name) {
            return Xml.all(proven.body(), "*", name).get(0).getTextContent();
        }
    }

    private SoapClient(Path folder) throws Exception {
        for (String row : Files.readAllLines(folder.resolve("client.properties"))) {
            own.put(row.substring(0, row.indexOf('=')), row.substring(row.indexOf('=') + 1));
        }
        Keys keys = new Keys(folder, own.get("algorithm"));
        http = keys.connect();
        security = keys.security(own.get("reference").equals("token"));
        soap12 = own.get("soap").equals("1.2");
        namespace = soap12 ? "http://www.w3.org/2003/05/soap-envelope" : "http://schemas.xmlsoap.org/soap/envelope/";
        String binding = soap12 ? "http://schemas.xmlsoap.org/wsdl/soap12/" : "http://schemas.xmlsoap.org/wsdl/soap/";
        for (String service : SERVICES) {
            URI address = URI.create(own.get("origin") + "/soap/" + service + "/v1?wsdl");
            operations.putAll(Wsdl.read(get(address), binding));
        }
    }

    private byte[] get(URI address) throws IOException, InterruptedException {
        HttpRequest request = HttpRequest.newBuilder(address).timeout(Duration.ofSeconds(20)).build();
        HttpResponse<byte[]> answer = http.send(request, HttpResponse.BodyHandlers.ofByteArray());
        if (answer.statusCode() != 200) {
            throw new IOException(address + ": " + answer.statusCode());
        }
        return answer.body();
    }

    private byte[] post(Wsdl.Operation operation, byte[] data) throws IOException, InterruptedException {
        HttpRequest.Builder request = HttpRequest.newBuilder(URI.create(operation.address()))
                .timeout(Duration.ofSeconds(20))
                .POST(HttpRequest.BodyPublishers.ofByteArray(data));
        if (soap12) {
            String type = "application/soap+xml; charset=utf-8; action=\"" + operation.action() + "\"";
            request.header("Content-Type", type);
        } else {
            request.header("Content-Type", "text/xml; charset=utf-8").header("SOAPAction", '"' + operation.action() + '"');
        }
        return http.send(request.build(), HttpResponse.BodyHandlers.ofByteArray()).body();
    }

    private Exchange call(String terms, String name, Map<String, String> fields) throws Exception {
        Wsdl.Operation operation = operations.get(name);
        WsSecurity.Sent sent = security.sign(envelope(operation, terms, fields));
        return answered(operation, sent);
    }

    private Exchange answered(Wsdl.Operation operation, WsSecurity.Sent sent) throws Exception {
        byte[] received = post(operation, sent.data());
        return new Exchange(operation, sent, received, security.verify(Xml.parse(received), sent));
    }

    private Document envelope(Wsdl.Operation operation, String terms, Map<String, String> fields) throws Exception {
        Document document = Xml.builder().newDocument();
        Element envelope = Xml.element(document, namespace, "env:Envelope");
        document.appendChild(envelope);
        Element header = Xml.add(envelope, namespace, "env:Header", "");
        Xml.add(header, WsSecurity.WSA, "wsa:To", operation.address());
        Xml.add(header, WsSecurity.WSA, "wsa:Action", operation.action());
        Xml.add(header, WsSecurity.WSA, "wsa:MessageID", "urn:uuid:" + UUID.randomUUID());
        Xml.add(header, WsSecurity.EXCHANGE, "px:Exchange-Agreement", own.get(terms + ".agreement"));
        Xml.add(header, WsSecurity.EXCHANGE, "px:Exchange-Purpose", own.get(terms + ".purpose"));
        Xml.add(header, WsSecurity.EXCHANGE, "px:Idempotency-Key", UUID.randomUUID().toString());
        Element body = Xml.add(envelope, namespace, "env:Body", "");
        Element payload = Xml.add(body, operation.namespace(), "m:" + operation.element(), "");
        for (String field : operation.fields()) {
            if (field.equals("parents") && operation.element().equals("RegistrationCreateRequest")) {
                Element parents = Xml.add(payload, operation.namespace(), "m:parents", "");
                Element parent = Xml.add(parents, operation.namespace(), "m:parent", "");
                for (String name : PARENT.keySet()) {
                    Xml.add(parent, operation.namespace(), "m:" + name, PARENT.get(name));
                }
            } else if (fields.containsKey(field)) {
                Xml.add(payload, operation.namespace(), "m:" + field, fields.get(field));
            }
        }
        return document;
    }

    /** Whether each change of a good answer is seen. */
    private Map<String, String> notices(Exchange exchange) throws Exception {
        Map<String, String> found = new LinkedHashMap<>();
        for (String change : List.of("body", "header", "request", "wrapped")) {
            Document changed = Xml.parse(exchange.received());
            switch (change) {
                case "body" -> only(changed, "message").setTextContent("changed");
                case "header" -> only(changed, "Exchange-Id").setTextContent(UUID.randomUUID().toString());
                case "request" -> only(changed, "RelatesTo").setTextContent("urn:uuid:" + UUID.randomUUID());
                default -> wrap(changed);
            }
            found.put(change, refuses(changed, exchange.sent()));
        }
        return found;
    }

    /** The signed Body moved aside, another in its place: the oldest attack on XML signatures. */
    private static void wrap(Document document) {
        Element envelope = document.getDocumentElement();
        Element header = Xml.children(envelope).get(0);
        Element body = Xml.children(envelope).get(1);
        Element other = (Element) body.cloneNode(true);
        other.removeAttributeNS("http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss-wssecurity-utility-1.0.xsd", "Id");
        envelope.replaceChild(other, body);
        Xml.add(header, "urn:wrapper", "w:Wrapper", "").appendChild(body);
    }

    private static Element only(Document document, String local) {
        return Xml.all(document, "*", local).get(0);
    }

    private String refuses(Document changed, WsSecurity.Sent sent) throws Exception {
        try {
            security.verify(changed, sent);
        } catch (WsSecurity.Refused refused) {
            return "true";
        }
        return "false";
    }

    /** The report of one exchange. */
    private static String report(Exchange exchange) throws Exception {
        WsSecurity.Proven proven = exchange.proven();
        Map<String, String> found = new LinkedHashMap<>();
        found.put("covered", Json.array(proven.parts().keySet().stream().map(Json::quoted).toList()));
        for (String name : List.of("Exchange-Id", "Ledger-Leaf", "Ledger-By")) {
            found.put(name, Json.quoted(proven.text(name)));
        }
        found.put("body-digest", Json.quoted(digest(proven)));
        Element payload = Xml.children(proven.body()).get(0);
        if (payload.getLocalName().equals("Fault")) {
            found.put("code", Json.quoted(Xml.all(payload, WsSecurity.EXCHANGE, "code").get(0).getTextContent()));
        } else if (payload.getLocalName().equals("WaitlistStatisticsResponse")) {
            found.put("fields", Statistics.read(payload));
        } else {
            Map<String, String> fields = new LinkedHashMap<>();
            Xml.children(payload).forEach(each -> fields.put(each.getLocalName(), Json.quoted(each.getTextContent())));
            fields.remove("salt");
            found.put("fields", Json.object(fields));
        }
        return Json.object(found);
    }

    private static String digest(WsSecurity.Proven proven) throws Exception {
        return "sha-256=:" + Base64.getEncoder().encodeToString(Keys.sha256(proven.form())) + ":";
    }

    private Map<String, String> with(Map<String, String> fields, String... more) {
        Map<String, String> all = new HashMap<>(fields);
        for (int index = 0; index < more.length; index += 2) {
            all.put(more[index], more[index + 1]);
        }
        byte[] salt = new byte[16];
        random.nextBytes(salt);
        all.put("salt", Base64.getEncoder().encodeToString(salt));
        return all;
    }

    private Map<String, String> run() throws Exception {
        Map<String, String> found = new LinkedHashMap<>();
        Exchange echo = call("echo", "Echo", Map.of("message", "d'ailleurs: été"));
        found.put("echo", report(echo));
        found.put("notices", Json.object(notices(echo)));
        found.put("replayed", report(answered(echo.operation(), echo.sent())));
        found.put("refused", report(call("refused", "Echo", Map.of("message", "x"))));
        Map<String, String> child = new HashMap<>();
        for (String name : List.of("nirec", "family_name", "given_names", "birth_date")) {
            child.put(name, own.get(name));
        }
        Exchange verified = call("nirec.verify", "NirecVerify", with(child));
        found.put("verification", report(verified));
        String known = verified.field("handle");
        found.put("acknowledgement", report(call("nirec.verify", "ExchangeAcknowledge", Map.of(
                "exchange_id", verified.proven().text("Exchange-Id"),
                "ledger_leaf", verified.proven().text("Ledger-Leaf"),
                "answer_digest", digest(verified.proven()),
                "handle", known))));
        Map<String, String> person = Map.of(
                "family_name", child.get("family_name"), "birth_date", child.get("birth_date"));
        found.put("searched", report(call("registration.search", "RegistrationSearch", with(person))));
        Map<String, String> notice = Map.of("handle", known, "addressee", "ministry", "event", "offered",
                "date", "2026-11-23", "permit", "1234-5678", "region", "06");
        found.put("notified", report(call("placement.notify", "PlacementNotify", with(notice))));
        found.put("registered", report(call("registration.get", "RegistrationGet", Map.of("handle", known))));
        Exchange expected = call("subject.expect", "SubjectExpect", with(Map.of("reference", "dossier 12")));
        found.put("expected", report(expected));
        String handle = expected.field("handle");
        found.put("known_already", report(call("subject.birth", "SubjectBirth", with(child, "handle", handle))));
        found.put("merged", report(call("subject.merge", "SubjectMerge", Map.of(
                "handle", handle, "other_handle", known, "reason", "duplicate_file"))));
        found.put("born", report(call("subject.birth", "SubjectBirth", with(child, "handle", handle))));
        String newborn = call("subject.expect", "SubjectExpect", with(Map.of("reference", "dossier 13"))).field("handle");
        Exchange made = call("registration.create", "RegistrationCreate", with(REGISTRATION, "handle", newborn));
        found.put("created", report(made));
        Exchange changed = call("registration.change", "RegistrationChange", with(Map.of(
                "handle", newborn, "if_state", made.field("state_after"), "region", "03")));
        found.put("changed", report(changed));
        found.put("withdrawn", report(call("registration.withdraw", "RegistrationWithdraw", with(Map.of(
                "handle", newborn, "if_state", changed.field("state_after"), "reason", "family_left")))));
        Exchange opened = call("batch.open", "BatchOpen", Map.of(
                "records", "1", "rejected", "0", "commitment", "0".repeat(64)));
        found.put("batch", report(opened));
        String batch = opened.field("batch");
        found.put("record", report(call("batch.verify", "BatchVerify", with(child, "batch", batch, "line", "1"))));
        found.put("again", report(call("batch.answer", "BatchAnswer", with(child, "batch", batch, "line", "1"))));
        found.put("progress", report(call("batch.get", "BatchGet", Map.of("batch", batch))));
        Map<String, String> statistics = new LinkedHashMap<>();
        for (String name : QUESTIONS.keySet()) {
            Exchange counted = call("waitlist.statistics", "WaitlistStatistics", QUESTIONS.get(name));
            statistics.put(name, report(counted));
        }
        found.put("statistics", Json.object(statistics));
        found.put("counted", report(call("waitlist.counts", "WaitlistCounts", QUESTIONS.get("all"))));
        return found;
    }

    public static void main(String[] arguments) throws Exception {
        Map<String, String> found = new SoapClient(Path.of(arguments[0])).run();
        new PrintStream(System.out, true, StandardCharsets.UTF_8).print(Json.object(found));
    }
}
