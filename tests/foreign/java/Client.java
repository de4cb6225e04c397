import java.io.IOException;
import java.io.PrintStream;
import java.net.URI;
import java.net.http.HttpClient;
import java.net.http.HttpRequest;
import java.net.http.HttpResponse;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.time.Duration;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/**
 * A client from docs/profile.md with nothing but the JDK, and nothing of Passerelle.
 *
 * <p>{@code java Client FOLDER}: FOLDER holds client.properties and the files of section 1; a JSON report on stdout.
 */
public final class Client {
    private static final String TARGET = "/v1/nirec/verifications";
    private static final String STATISTICS = "/v1/waitlist/statistics?as_of=2027-06-01&region=13";

    private final Map<String, String> own = new HashMap<>();
    private final Profile profile;
    private final HttpClient http;

    private Client(Path folder) throws Exception {
        for (String row : Files.readAllLines(folder.resolve("client.properties"))) {
            own.put(row.substring(0, row.indexOf('=')), row.substring(row.indexOf('=') + 1));
        }
        Keys keys = new Keys(folder, own.get("algorithm"));
        profile = new Profile(keys, own.get("origin"));
        http = keys.connect();
    }

    private Profile.Answer send(String method, String target, Map<String, String> headers, byte[] body)
            throws IOException, InterruptedException {
        HttpRequest.Builder builder = HttpRequest.newBuilder(URI.create(own.get("origin") + target))
                .timeout(Duration.ofSeconds(20))
                .method(method, HttpRequest.BodyPublishers.ofByteArray(body));
        headers.forEach(builder::header);
        HttpResponse<byte[]> answer = http.send(builder.build(), HttpResponse.BodyHandlers.ofByteArray());
        Map<String, String> said = new HashMap<>();
        answer.headers().map().forEach((name, values) -> said.put(name.toLowerCase(), String.join(", ", values)));
        return new Profile.Answer(answer.statusCode(), said, answer.body());
    }

    private Profile.Answer send(Profile.Request request) throws IOException, InterruptedException {
        return send(request.method(), request.target(), request.headers(), request.body());
    }

    private Profile.Request echo(String purpose) throws GeneralSecurityException {
        byte[] body = Json.object(Map.of("message", Json.quoted("d'ailleurs: été"))).getBytes(StandardCharsets.UTF_8);
        return profile.sign("POST", "/v1/echo", body, own.get("echo.agreement"), purpose);
    }

    private Profile.Request verification() throws GeneralSecurityException {
        Map<String, String> fields = new LinkedHashMap<>();
        for (String name : List.of("nirec", "family_name", "given_names", "birth_date")) {
            fields.put(name, Json.quoted(own.get(name)));
        }
        fields.put("salt", Json.quoted(profile.fresh()));
        byte[] body = Json.object(fields).getBytes(StandardCharsets.UTF_8);
        return profile.sign("POST", TARGET, body, own.get("verify.agreement"), own.get("verify.purpose"));
    }

    private Profile.Request statistics() throws GeneralSecurityException {
        String terms = "waitlist.statistics.";
        return profile.sign("GET", STATISTICS, new byte[0], own.get(terms + "agreement"), own.get(terms + "purpose"));
    }

    /** The report of one exchange, its answer verified. */
    private Map<String, String> report(Profile.Request request) throws Exception {
        Profile.Answer answer = send(request);
        TreeSet<String> covered = profile.verify(request, answer);
        Map<String, String> found = new LinkedHashMap<>();
        found.put("status", Integer.toString(answer.status()));
        found.put("covered", Json.array(covered.stream().map(Json::quoted).toList()));
        found.put("body", new String(answer.body(), StandardCharsets.UTF_8));
        for (String name : List.of("exchange-id", "ledger-leaf", "ledger-by", "content-digest")) {
            found.put(name, Json.quoted(answer.headers().get(name)));
        }
        return found;
    }

    /** Whether each change of a good answer is seen. */
    private Map<String, String> notices(Profile.Request request) throws Exception {
        Profile.Answer answer = send(request);
        profile.verify(request, answer);
        byte[] body = answer.body().clone();
        body[body.length - 1] ^= 1;
        Map<String, String> other = new HashMap<>(answer.headers());
        other.put("exchange-id", "00000000-0000-4000-8000-000000000000");
        Profile.Request moved = new Profile.Request(
                request.method(), request.target() + "/", request.headers(), request.body(), request.parameters(),
                request.signature());
        Map<String, String> found = new LinkedHashMap<>();
        found.put("body", refuses(request, new Profile.Answer(answer.status(), answer.headers(), body)));
        found.put("status", refuses(request, new Profile.Answer(201, answer.headers(), answer.body())));
        found.put("header", refuses(request, new Profile.Answer(answer.status(), other, answer.body())));
        found.put("request", refuses(moved, answer));
        return found;
    }

    private String refuses(Profile.Request request, Profile.Answer answer) throws GeneralSecurityException {
        try {
            profile.verify(request, answer);
        } catch (Profile.Refused refused) {
            return "true";
        }
        return "false";
    }

    /** Section 6: says under our signature which answer we have; the members stand in the order of their names. */
    private Profile.Request acknowledge(Map<String, String> report) throws GeneralSecurityException {
        Matcher handle = Pattern.compile("\"handle\":(\"[0-9a-f]{64}\")").matcher(report.get("body"));
        Map<String, String> said = new LinkedHashMap<>();
        said.put("answer_digest", report.get("content-digest"));
        said.put("handle", handle.find() ? handle.group(1) : "null");
        said.put("ledger_leaf", report.get("ledger-leaf"));
        String target = "/v1/exchanges/" + report.get("exchange-id").replace("\"", "") + "/acknowledgement";
        byte[] body = Json.object(said).getBytes(StandardCharsets.UTF_8);
        return profile.sign("POST", target, body, own.get("verify.agreement"), own.get("verify.purpose"));
    }

    /** Section 6: the receipt once the log has the exchange. */
    private String receipt(String exchangeId) throws Exception {
        Profile.Answer answer;
        while ((answer = send("GET", "/v1/exchanges/" + exchangeId + "/receipt", Map.of(), new byte[0])).status() == 202) {
            Thread.sleep(200);
        }
        return new String(answer.body(), StandardCharsets.US_ASCII);
    }

    public static void main(String[] arguments) throws Exception {
        Client client = new Client(Path.of(arguments[0]));
        String purpose = client.own.get("echo.purpose");
        Profile.Request first = client.echo(purpose);
        Map<String, String> found = new LinkedHashMap<>();
        found.put("echo", Json.object(client.report(first)));
        found.put("replayed", Json.object(client.report(first)));
        found.put("refused", Json.object(client.report(client.echo("autre"))));
        Map<String, String> verification = client.report(client.verification());
        found.put("verification", Json.object(verification));
        found.put("acknowledgement", Json.object(client.report(client.acknowledge(verification))));
        found.put("statistics", Json.object(client.report(client.statistics())));
        found.put("notices", Json.object(client.notices(client.echo(purpose))));
        found.put("receipt", Json.quoted(client.receipt(verification.get("exchange-id").replace("\"", ""))));
        new PrintStream(System.out, true, StandardCharsets.UTF_8).print(Json.object(found));
    }
}
