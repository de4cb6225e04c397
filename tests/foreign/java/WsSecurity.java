import java.security.GeneralSecurityException;
import java.security.PrivateKey;
import java.security.cert.X509Certificate;
import java.time.Duration;
import java.time.Instant;
import java.time.temporal.ChronoUnit;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.Base64;
import java.util.HashMap;
import java.util.HashSet;
import java.util.List;
import java.util.Map;
import java.util.Set;
import java.util.TreeMap;
import javax.xml.crypto.MarshalException;
import javax.xml.crypto.dom.DOMStructure;
import javax.xml.crypto.dsig.CanonicalizationMethod;
import javax.xml.crypto.dsig.DigestMethod;
import javax.xml.crypto.dsig.Reference;
import javax.xml.crypto.dsig.SignedInfo;
import javax.xml.crypto.dsig.Transform;
import javax.xml.crypto.dsig.XMLSignature;
import javax.xml.crypto.dsig.XMLSignatureException;
import javax.xml.crypto.dsig.XMLSignatureFactory;
import javax.xml.crypto.dsig.dom.DOMSignContext;
import javax.xml.crypto.dsig.dom.DOMValidateContext;
import javax.xml.crypto.dsig.spec.C14NMethodParameterSpec;
import javax.xml.crypto.dsig.spec.TransformParameterSpec;
import org.w3c.dom.Document;
import org.w3c.dom.Element;

/** WS-Security as docs/profile.md chooses it, by javax.xml.crypto.dsig alone: signs requests, verifies answers. */
final class WsSecurity {
    static final String WSA = "http://www.w3.org/2005/08/addressing";
    static final String EXCHANGE = "urn:passerelle:exchange:v1";
    private static final String OASIS = "http://docs.oasis-open.org/wss/2004/01/oasis-200401-wss";
    private static final String WSSE = OASIS + "-wssecurity-secext-1.0.xsd";
    private static final String WSU = OASIS + "-wssecurity-utility-1.0.xsd";
    private static final String X509V3 = OASIS + "-x509-token-profile-1.0#X509v3";
    private static final String BASE64 = OASIS + "-soap-message-security-1.0#Base64Binary";
    private static final String EXCLUSIVE = CanonicalizationMethod.EXCLUSIVE;
    private static final String ECDSA = "http://www.w3.org/2001/04/xmldsig-more#ecdsa-sha256";
    private static final String RSA = "http://www.w3.org/2001/04/xmldsig-more#rsa-sha256";
    private static final List<String> OWN = List.of("Exchange-Id", "Ledger-Leaf", "Ledger-By");
    /** A request that was refused before it was proven has no signature that could be confirmed. */
    private static final List<String> EARLY =
            List.of("Body", "Timestamp", "Action", "MessageID", "Exchange-Id", "Ledger-Leaf", "Ledger-By");
    private static final List<String> BOUND = List.of("RelatesTo", "SignatureConfirmation");

    /** A signed request as it is sent, and what its answer must be bound to. */
    record Sent(byte[] data, String messageId, byte[] signature) {}

    /** What an answer's signature covers; {@code body} is the signed element, {@code form} its canonical bytes. */
    record Proven(Map<String, Element> parts, Element body, byte[] form) {
        String text(String name) {
            return parts.get(name).getTextContent();
        }
    }

    private final PrivateKey key;
    private final X509Certificate own;
    private final X509Certificate gateway;
    private final boolean sendsToken;
    private final XMLSignatureFactory factory = XMLSignatureFactory.getInstance("DOM");

    /** @param sendsToken whether the certificate goes along; otherwise its issuer and serial number name it. */
    WsSecurity(PrivateKey key, X509Certificate own, X509Certificate gateway, boolean sendsToken) {
        this.key = key;
        this.own = own;
        this.gateway = gateway;
        this.sendsToken = sendsToken;
    }

    /** Signs all header blocks that the envelope has, a Timestamp and the Body. */
    Sent sign(Document envelope) throws Exception {
        Element root = envelope.getDocumentElement();
        Element header = Xml.children(root).get(0);
        List<Element> signed = new ArrayList<>(Xml.children(header));
        String messageId = Xml.children(header, WSA, "MessageID").get(0).getTextContent();
        Element security = Xml.add(header, WSSE, "wsse:Security", "");
        security.setAttributeNS(root.getNamespaceURI(), root.getPrefix() + ":mustUnderstand", "1");
        Element timestamp = Xml.add(security, WSU, "wsu:Timestamp", "");
        Instant now = Instant.now().truncatedTo(ChronoUnit.MILLIS);
        Xml.add(timestamp, WSU, "wsu:Created", now.toString());
        Xml.add(timestamp, WSU, "wsu:Expires", now.plus(Duration.ofMinutes(2)).toString());
        signed.add(timestamp);
        signed.add(Xml.children(root).get(1));
        DOMSignContext context = new DOMSignContext(key, security);
        context.setDefaultNamespacePrefix("ds");
        List<Reference> references = new ArrayList<>();
        DigestMethod sha256 = factory.newDigestMethod(DigestMethod.SHA256, null);
        List<Transform> transforms = List.of(factory.newTransform(EXCLUSIVE, (TransformParameterSpec) null));
        for (Element part : signed) {
            String id = "p-" + references.size();
            identify(part, id);
            context.setIdAttributeNS(part, WSU, "Id");
            references.add(factory.newReference("#" + id, sha256, transforms, null, null));
        }
        CanonicalizationMethod method =
                factory.newCanonicalizationMethod(EXCLUSIVE, (C14NMethodParameterSpec) null);
        String algorithm = key.getAlgorithm().equals("EC") ? ECDSA : RSA;
        SignedInfo info = factory.newSignedInfo(method, factory.newSignatureMethod(algorithm, null), references);
        var names = factory.getKeyInfoFactory();
        var keyInfo = names.newKeyInfo(List.of(new DOMStructure(tokenReference(security))));
        XMLSignature signature = factory.newXMLSignature(info, keyInfo);
        signature.sign(context);
        return new Sent(Xml.written(envelope), messageId, signature.getSignatureValue().getValue());
    }

    private Element tokenReference(Element security) throws GeneralSecurityException {
        Document document = security.getOwnerDocument();
        Element reference = Xml.element(document, WSSE, "wsse:SecurityTokenReference");
        if (sendsToken) {
            String der = Base64.getEncoder().encodeToString(own.getEncoded());
            Element token = Xml.add(security, WSSE, "wsse:BinarySecurityToken", der);
            token.setAttribute("EncodingType", BASE64);
            token.setAttribute("ValueType", X509V3);
            identify(token, "token");
            Element direct = Xml.add(reference, WSSE, "wsse:Reference", "");
            direct.setAttribute("URI", "#token");
            direct.setAttribute("ValueType", X509V3);
        } else {
            Element data = Xml.add(reference, XMLSignature.XMLNS, "ds:X509Data", "");
            Element issuerSerial = Xml.add(data, XMLSignature.XMLNS, "ds:X509IssuerSerial", "");
            Xml.add(issuerSerial, XMLSignature.XMLNS, "ds:X509IssuerName", own.getIssuerX500Principal().getName());
            Xml.add(issuerSerial, XMLSignature.XMLNS, "ds:X509SerialNumber", own.getSerialNumber().toString());
        }
        return reference;
    }

    private static void identify(Element element, String id) {
        Xml.declare(element, "wsu", WSU);
        element.setAttributeNS(WSU, "wsu:Id", id);
    }

    /** What an answer proves; throws Refused unless the gateway signed it, in answer to what was sent. */
    Proven verify(Document envelope, Sent sent) throws Exception {
        Element root = envelope.getDocumentElement();
        List<Element> halves = Xml.children(root);
        List<Element> securities = Xml.all(envelope, WSSE, "Security");
        List<Element> signatures = Xml.all(envelope, XMLSignature.XMLNS, "Signature");
        need(halves.size() == 2 && securities.size() == 1 && signatures.size() == 1, "more than one of a kind");
        Element security = securities.get(0);
        // 1  the gateway's key, and no other that the message may bring
        byte[] token = Base64.getMimeDecoder().decode(
                Xml.children(security, WSSE, "BinarySecurityToken").get(0).getTextContent());
        need(Arrays.equals(token, gateway.getEncoded()), "another key");
        // 2  the nodes that may be signed: each in the place where it is read, each Id once
        DOMValidateContext context = new DOMValidateContext(gateway.getPublicKey(), signatures.get(0));
        context.setProperty("org.jcp.xml.dsig.secureValidation", true);
        context.setProperty("javax.xml.crypto.dsig.cacheReference", true);
        List<Element> candidates = new ArrayList<>(Xml.children(halves.get(0)));
        candidates.addAll(Xml.children(security));
        candidates.add(halves.get(1));
        Map<String, Element> places = new HashMap<>();
        for (Element one : candidates) {
            if (one.hasAttributeNS(WSU, "Id")) {
                need(places.put("#" + one.getAttributeNS(WSU, "Id"), one) == null, "an Id twice");
                context.setIdAttributeNS(one, WSU, "Id");
            }
        }
        // 3  the signature holds, by the profile's algorithms alone
        XMLSignature signature = valid(context);
        Map<String, Element> parts = new TreeMap<>();
        byte[] form = new byte[0];
        for (Reference reference : references(signature)) {
            Element part = places.get(reference.getURI());
            need(part != null, "a reference to another place");
            parts.put(part.getLocalName(), part);
            if (part == halves.get(1)) {
                form = reference.getDigestInputStream().readAllBytes();
            }
        }
        // 4  it covers all that it must, for this request, now
        boolean refused = Xml.children(halves.get(1)).get(0).getLocalName().equals("Fault");
        need(parts.keySet().containsAll(EARLY) && (refused || parts.keySet().containsAll(BOUND)), "does not cover all");
        need(parts.get("Body") == halves.get(1), "another Body");
        bound(parts, sent);
        return new Proven(parts, halves.get(1), form);
    }

    private XMLSignature valid(DOMValidateContext context) throws Refused {
        try {
            XMLSignature signature = factory.unmarshalXMLSignature(context);
            SignedInfo info = signature.getSignedInfo();
            need(info.getSignatureMethod().getAlgorithm().equals(ECDSA), "another algorithm");
            need(info.getCanonicalizationMethod().getAlgorithm().equals(EXCLUSIVE), "another algorithm");
            for (Reference reference : references(signature)) {
                Set<String> used = new HashSet<>();
                reference.getTransforms().forEach(each -> used.add(each.getAlgorithm()));
                need(used.equals(Set.of(EXCLUSIVE)), "another transform");
                need(reference.getDigestMethod().getAlgorithm().equals(DigestMethod.SHA256), "another algorithm");
            }
            need(signature.validate(context), "the signature does not hold");
            return signature;
        } catch (MarshalException | XMLSignatureException malformed) {
            throw new Refused("the signature cannot be read");
        }
    }

    @SuppressWarnings({"unchecked", "rawtypes", "cast"})
    private static List<Reference> references(XMLSignature signature) {
        return (List<Reference>) (List) signature.getSignedInfo().getReferences();
    }

    private static void bound(Map<String, Element> parts, Sent sent) throws Refused {
        List<Element> times = Xml.children(parts.get("Timestamp"));
        Duration skew = Duration.ofSeconds(30);
        Instant now = Instant.now();
        boolean fresh = Instant.parse(times.get(0).getTextContent()).minus(skew).isBefore(now)
                && Instant.parse(times.get(1).getTextContent()).plus(skew).isAfter(now);
        need(fresh, "not now");
        Element relates = parts.get("RelatesTo");
        need(relates == null || relates.getTextContent().equals(sent.messageId()), "the answer to another request");
        Element confirmation = parts.get("SignatureConfirmation");
        if (confirmation != null) {
            byte[] value = Base64.getDecoder().decode(confirmation.getAttribute("Value"));
            need(Arrays.equals(value, sent.signature()), "the answer to another signature");
        }
    }

    private static void need(boolean holds, String what) throws Refused {
        if (!holds) {
            throw new Refused(what);
        }
    }

    /** An answer that does not prove itself. */
    static final class Refused extends Exception {
        private static final long serialVersionUID = 1L;

        Refused(String why) {
            super(why);
        }
    }
}
