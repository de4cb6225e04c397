import java.util.ArrayList;
import java.util.HashMap;
import java.util.List;
import java.util.Map;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** What a served WSDL and its schema say of the operations: address, action, element, and its fields in order. */
final class Wsdl {
    /** One operation; {@code element} and its fields are in {@code namespace}. */
    record Operation(String address, String action, String namespace, String element, List<String> fields) {}

    private static final String WSDL = "http://schemas.xmlsoap.org/wsdl/";
    private static final String XSD = "http://www.w3.org/2001/XMLSchema";

    private Wsdl() {}

    /** The operations by name, as the binding to this version of SOAP has them. */
    static Map<String, Operation> read(byte[] document, String soapBinding) throws Exception {
        Document wsdl = Xml.parse(document);
        Element schema = schema(wsdl);
        Map<String, Operation> found = new HashMap<>();
        for (Element port : Xml.all(wsdl, WSDL, "port")) {
            List<Element> location = Xml.all(port, soapBinding, "address");
            if (location.isEmpty()) {
                continue;
            }
            Element binding = named(wsdl, "binding", local(port.getAttribute("binding")));
            Element portType = named(wsdl, "portType", local(binding.getAttribute("type")));
            for (Element operation : Xml.children(binding, WSDL, "operation")) {
                String name = operation.getAttribute("name");
                String action = Xml.all(operation, soapBinding, "operation").get(0).getAttribute("soapAction");
                String element = local(input(wsdl, portType, name).getAttribute("element"));
                found.put(name, new Operation(
                        location.get(0).getAttribute("location"), action,
                        schema.getAttribute("targetNamespace"), element, fields(schema, element)));
            }
        }
        return found;
    }

    /** The one schema of the service's own messages; a second one beside it has the header blocks. */
    private static Element schema(Document wsdl) {
        String namespace = wsdl.getDocumentElement().getAttribute("targetNamespace");
        return Xml.all(wsdl, XSD, "schema").stream()
                .filter(each -> each.getAttribute("targetNamespace").equals(namespace)).findFirst().orElseThrow();
    }

    private static Element input(Document wsdl, Element portType, String operation) {
        Element one = Xml.children(portType, WSDL, "operation").stream()
                .filter(each -> each.getAttribute("name").equals(operation)).findFirst().orElseThrow();
        Element message = named(wsdl, "message", local(Xml.all(one, WSDL, "input").get(0).getAttribute("message")));
        return Xml.children(message, WSDL, "part").stream()
                .filter(each -> !each.getAttribute("element").isEmpty()).findFirst().orElseThrow();
    }

    /** The names of an element's children, in the order of its sequence. */
    private static List<String> fields(Element schema, String element) {
        Element declared = Xml.children(schema, XSD, "element").stream()
                .filter(each -> each.getAttribute("name").equals(element)).findFirst().orElseThrow();
        List<String> names = new ArrayList<>();
        Element sequence = Xml.all(declared, XSD, "sequence").get(0);
        for (Element each : Xml.children(sequence)) {
            // one of a choice, or itself
            List<Element> named = each.getLocalName().equals("choice") ? Xml.children(each, XSD, "element") : List.of(each);
            named.forEach(one -> names.add(one.getAttribute("name")));
        }
        return names;
    }

    private static Element named(Document wsdl, String word, String name) {
        return Xml.children(wsdl.getDocumentElement(), WSDL, word).stream()
                .filter(each -> each.getAttribute("name").equals(name)).findFirst().orElseThrow();
    }

    private static String local(String qualified) {
        return qualified.substring(qualified.indexOf(':') + 1);
    }
}
