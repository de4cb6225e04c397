import java.util.ArrayList;
import java.util.List;
import java.util.Map;

/** JSON to be written, which is all that a client needs of it: members and items are JSON already. */
final class Json {
    private Json() {}

    static String quoted(String text) {
        return '"' + text.replace("\\", "\\\\").replace("\"", "\\\"") + '"';
    }

    static String array(List<String> items) {
        return "[" + String.join(",", items) + "]";
    }

    static String object(Map<String, String> members) {
        List<String> rows = new ArrayList<>();
        members.forEach((name, value) -> rows.add(quoted(name) + ":" + value));
        return "{" + String.join(",", rows) + "}";
    }
}
