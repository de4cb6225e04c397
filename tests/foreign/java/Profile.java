import java.nio.charset.StandardCharsets;
import java.security.GeneralSecurityException;
import java.security.SecureRandom;
import java.time.Instant;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import java.util.TreeSet;
import java.util.regex.Matcher;
import java.util.regex.Pattern;

/** What is signed and how it is verified: RFC 9421 as docs/profile.md chooses it, written by hand. */
final class Profile {
    /** A request as it is sent, with what its answer must be bound to; header names in lower case. */
    record Request(
            String method, String target, Map<String, String> headers, byte[] body, String parameters, String signature) {}

    /** An answer as it came; header names in lower case. */
    record Answer(int status, Map<String, String> headers, byte[] body) {}

    /** An answer that does not prove itself. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        Refused(String why) {
            super(why);
        }
    }

    private static final Pattern MEMBER = Pattern.compile("([a-z*][a-z0-9_.*-]*)=(\\(([^()]*)\\)((?:;[a-z]+=[^;,]+)*))");
    private static final List<String> ALWAYS = List.of(
            "\"@status\"", "\"content-digest\"", "\"exchange-id\"", "\"ledger-leaf\"", "\"ledger-by\"", "\"@method\";req");
    private static final List<String> BOUND = List.of(
            "\"@target-uri\";req", "\"signature\";req;key=\"sig1\"", "\"signature-input\";req;key=\"sig1\"");
    /** Only where the request had a body. */
    private static final String CONTENT = "\"content-digest\";req";

    private final Keys keys;
    private final String origin;
    private final SecureRandom random = new SecureRandom();

    Profile(Keys keys, String origin) {
        this.keys = keys;
        this.origin = origin;
    }

    String fresh() {
        byte[] bytes = new byte[16];
        random.nextBytes(bytes);
        return Base64.getEncoder().encodeToString(bytes);
    }

    /** Section 4; a GET has an empty body, hence neither digest nor type. */
    Request sign(String method, String target, byte[] body, String agreement, String purpose)
            throws GeneralSecurityException {
        Map<String, String> covered = new LinkedHashMap<>();
        covered.put("\"@method\"", method);
        covered.put("\"@target-uri\"", origin + target);
        covered.put("\"exchange-agreement\"", agreement);
        covered.put("\"exchange-purpose\"", purpose);
        if (body.length > 0) {
            covered.put("\"content-digest\"", digest(body));
            covered.put("\"content-type\"", "application/json");
        }
        String parameters = "(" + String.join(" ", covered.keySet()) + ");created=" + Instant.now().getEpochSecond()
                + ";nonce=\"" + fresh() + "\";keyid=\"" + keys.keyid + "\";tag=\"passerelle\"";
        String signature = Base64.getEncoder().encodeToString(keys.sign(base(covered, parameters)));
        Map<String, String> headers = new LinkedHashMap<>();
        covered.forEach((name, value) -> headers.put(name.replace("\"", ""), value));
        headers.keySet().removeIf(name -> name.startsWith("@"));
        headers.put("signature-input", "sig1=" + parameters);
        headers.put("signature", "sig1=:" + signature + ":");
        return new Request(method, target, headers, body, parameters, signature);
    }

    /** Section 5: what the answer covers. */
    TreeSet<String> verify(Request request, Answer answer) throws GeneralSecurityException, Refused {
        Map<String, String> said = answer.headers();
        // 1  one signature, of the gateway's key and for this profile
        Matcher member = MEMBER.matcher(said.getOrDefault("signature-input", ""));
        if (!member.matches()) {
            throw new Refused("no signature");
        }
        String prefix = member.group(1) + "=:";
        String field = said.getOrDefault("signature", "");
        List<String> parameters = Arrays.asList(member.group(4).split(";"));
        boolean ours = parameters.contains("keyid=\"" + keys.gatewayKeyid + "\"") && parameters.contains("tag=\"passerelle\"");
        if (!ours || !field.startsWith(prefix) || !field.endsWith(":")) {
            throw new Refused("of another key");
        }
        // 2  it covers what it must
        List<String> names = new ArrayList<>(List.of(member.group(3).split(" ")));
        boolean problem = "application/problem+json".equals(said.get("content-type")) && answer.status() >= 400;
        boolean bound = names.containsAll(BOUND) && (request.body().length == 0 || names.contains(CONTENT));
        if (!names.containsAll(ALWAYS) || !(problem || bound)) {
            throw new Refused("does not cover all that it must");
        }
        // 3  with the values of the request that was sent and of the answer that came
        Map<String, String> known = values(request, answer);
        Map<String, String> covered = new LinkedHashMap<>();
        for (String name : names) {
            if (!known.containsKey(name) || covered.put(name, known.get(name)) != null) {
                throw new Refused("covers something else");
            }
        }
        // 4  and the signature holds
        byte[] value = Base64.getDecoder().decode(field.substring(prefix.length(), field.length() - 1));
        if (!keys.gatewaySigned(base(covered, member.group(2)), value)) {
            throw new Refused("the signature does not hold");
        }
        // 5  and the body is the one that was signed
        if (!digest(answer.body()).equals(said.get("content-digest"))) {
            throw new Refused("the body differs");
        }
        return new TreeSet<>(names);
    }

    private Map<String, String> values(Request request, Answer answer) {
        Map<String, String> known = new HashMap<>();
        known.put("\"@status\"", Integer.toString(answer.status()));
        known.put("\"@method\";req", request.method());
        known.put("\"@target-uri\";req", origin + request.target());
        known.put("\"signature\";req;key=\"sig1\"", ":" + request.signature() + ":");
        known.put("\"signature-input\";req;key=\"sig1\"", request.parameters());
        if (request.body().length > 0) {
            known.put(CONTENT, request.headers().get("content-digest"));
        }
        for (String name : List.of("content-digest", "exchange-id", "ledger-leaf", "ledger-by")) {
            if (answer.headers().containsKey(name)) {
                known.put("\"" + name + "\"", answer.headers().get(name));
            }
        }
        return known;
    }

    private static byte[] base(Map<String, String> covered, String parameters) {
        StringBuilder text = new StringBuilder();
        covered.forEach((name, value) -> text.append(name).append(": ").append(value).append('\n'));
        return text.append("\"@signature-params\": ").append(parameters).toString().getBytes(StandardCharsets.US_ASCII);
    }

    private static String digest(byte[] body) throws GeneralSecurityException {
        return "sha-256=:" + Base64.getEncoder().encodeToString(Keys.sha256(body)) + ":";
    }
}
