import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import javax.xml.XMLConstants;
import org.w3c.dom.Element;

/** The answer of WaitlistStatistics, read element by element, and written as the REST form has it. */
final class Statistics {
    private Statistics() {}

    static String read(Element answer) {
        Map<String, String> found = new LinkedHashMap<>();
        found.put("as_of", Json.quoted(answer.getAttribute("as_of")));
        found.put("counted_at", text(answer, "counted_at"));
        found.put("final", literal(answer, "final"));
        found.put("waiting", literal(answer, "waiting"));
        found.put("average_wait_months", text(answer, "average_wait_months"));
        if (has(answer, "note")) {
            found.put("note", text(answer, "note"));
        }
        found.put("regions", Json.array(listed(answer, "regions").stream().map(Statistics::region).toList()));
        return Json.object(found);
    }

    private static String region(Element region) {
        Map<String, String> found = new LinkedHashMap<>();
        found.put("code", Json.quoted(region.getAttribute("code")));
        found.put("name", text(region, "name"));
        found.put("waiting", literal(region, "waiting"));
        found.put("average_wait_months", text(region, "average_wait_months"));
        if (has(region, "places")) {
            found.put("places", literal(region, "places"));
        }
        found.put("definitions", Json.array(listed(region, "definitions").stream().map(Statistics::definition).toList()));
        return Json.object(found);
    }

    private static String definition(Element definition) {
        Map<String, String> found = new LinkedHashMap<>();
        found.put("definition", text(definition, "definition"));
        found.put("waiting", literal(definition, "waiting"));
        return Json.object(found);
    }

    /** A string, a time or a decimal, which are text in JSON. */
    private static String text(Element parent, String name) {
        return withheld(parent, name) ? "null" : Json.quoted(child(parent, name).getTextContent());
    }

    /** An integer or a boolean: XML Schema and JSON write them alike. */
    private static String literal(Element parent, String name) {
        return withheld(parent, name) ? "null" : child(parent, name).getTextContent();
    }

    /** Whether the element is nil, which is not the same as absent. */
    private static boolean withheld(Element parent, String name) {
        return child(parent, name).getAttributeNS(XMLConstants.W3C_XML_SCHEMA_INSTANCE_NS_URI, "nil").equals("true");
    }

    private static boolean has(Element parent, String name) {
        return !Xml.children(parent, parent.getNamespaceURI(), name).isEmpty();
    }

    private static Element child(Element parent, String name) {
        return Xml.children(parent, parent.getNamespaceURI(), name).get(0);
    }

    /** The items of a list, which has an element around them. */
    private static List<Element> listed(Element parent, String name) {
        return Xml.children(child(parent, name));
    }
}
