import java.io.ByteArrayInputStream;
import java.io.ByteArrayOutputStream;
import java.io.IOException;
import java.util.ArrayList;
import java.util.List;
import javax.xml.XMLConstants;
import javax.xml.parsers.DocumentBuilder;
import javax.xml.parsers.DocumentBuilderFactory;
import javax.xml.parsers.ParserConfigurationException;
import javax.xml.transform.TransformerException;
import javax.xml.transform.TransformerFactory;
import javax.xml.transform.dom.DOMSource;
import javax.xml.transform.stream.StreamResult;
import org.w3c.dom.Document;
import org.w3c.dom.Element;
import org.w3c.dom.Node;
import org.w3c.dom.NodeList;
import org.xml.sax.SAXException;

/** Documents to bytes and back, with namespaces and without DTDs; elements by their names. */
final class Xml {
    private Xml() {}

    static DocumentBuilder builder() throws ParserConfigurationException {
        DocumentBuilderFactory factory = DocumentBuilderFactory.newInstance();
        factory.setNamespaceAware(true);
        factory.setFeature("http://apache.org/xml/features/disallow-doctype-decl", true);
        return factory.newDocumentBuilder();
    }

    static Document parse(byte[] data) throws ParserConfigurationException, SAXException, IOException {
        return builder().parse(new ByteArrayInputStream(data));
    }

    static byte[] written(Document document) throws TransformerException {
        ByteArrayOutputStream out = new ByteArrayOutputStream();
        TransformerFactory.newInstance().newTransformer().transform(new DOMSource(document), new StreamResult(out));
        return out.toByteArray();
    }

    static Element add(Element parent, String namespace, String qualified, String text) {
        Element child = element(parent.getOwnerDocument(), namespace, qualified);
        child.setTextContent(text);
        parent.appendChild(child);
        return child;
    }

    static Element element(Document document, String namespace, String qualified) {
        Element made = document.createElementNS(namespace, qualified);
        declare(made, qualified.substring(0, qualified.indexOf(':')), namespace);
        return made;
    }

    /** The JDK canonicalises the declarations that stand in the tree, not those that will be written for its names. */
    static void declare(Element element, String prefix, String namespace) {
        element.setAttributeNS(XMLConstants.XMLNS_ATTRIBUTE_NS_URI, "xmlns:" + prefix, namespace);
    }

    static List<Element> children(Node parent) {
        List<Element> found = new ArrayList<>();
        for (Node node = parent.getFirstChild(); node != null; node = node.getNextSibling()) {
            if (node instanceof Element element) {
                found.add(element);
            }
        }
        return found;
    }

    static List<Element> children(Node parent, String namespace, String local) {
        List<Element> found = children(parent);
        found.removeIf(one -> !local.equals(one.getLocalName()) || !namespace.equals(one.getNamespaceURI()));
        return found;
    }

    static List<Element> all(Document document, String namespace, String local) {
        return all(document.getElementsByTagNameNS(namespace, local));
    }

    static List<Element> all(Element parent, String namespace, String local) {
        return all(parent.getElementsByTagNameNS(namespace, local));
    }

    private static List<Element> all(NodeList nodes) {
        List<Element> found = new ArrayList<>();
        for (int index = 0; index < nodes.getLength(); index++) {
            found.add((Element) nodes.item(index));
        }
        return found;
    }
}
