import java.io.ByteArrayInputStream;
import java.net.http.HttpClient;
import java.nio.charset.StandardCharsets;
import java.nio.file.Files;
import java.nio.file.Path;
import java.security.GeneralSecurityException;
import java.security.KeyFactory;
import java.security.KeyStore;
import java.security.MessageDigest;
import java.security.PrivateKey;
import java.security.PublicKey;
import java.security.Signature;
import java.security.cert.Certificate;
import java.security.cert.CertificateFactory;
import java.security.cert.X509Certificate;
import java.security.spec.MGF1ParameterSpec;
import java.security.spec.PKCS8EncodedKeySpec;
import java.security.spec.PSSParameterSpec;
import java.time.Duration;
import java.util.Base64;
import java.util.Map;
import javax.net.ssl.KeyManagerFactory;
import javax.net.ssl.SSLContext;
import javax.net.ssl.TrustManagerFactory;

/** The keys and certificates of one party's folder (docs/profile.md, sections 1, 2 and 4). */
final class Keys {
    private static final Map<String, String> FAMILIES =
            Map.of("ecdsa-p256-sha256", "EC", "ed25519", "Ed25519", "rsa-pss-sha512", "RSA",
                    "ecdsa-sha256", "EC", "rsa-sha256", "RSA");

    private final Path folder;
    private final String algorithm;
    private final PrivateKey signing;
    private final PublicKey gateway;

    final String keyid;
    final String gatewayKeyid;

    Keys(Path folder, String algorithm) throws Exception {
        this.folder = folder;
        this.algorithm = algorithm;
        signing = privateKey("signing.key", FAMILIES.get(algorithm));
        keyid = keyid(certificates("signing.pem")[0]);
        X509Certificate theirs = certificates("gateway.pem")[0];
        gateway = theirs.getPublicKey();
        gatewayKeyid = keyid(theirs);
    }

    /** Mutual TLS 1.3 that trusts the gateway's root and no other. */
    HttpClient connect() throws Exception {
        char[] none = new char[0];
        KeyStore own = KeyStore.getInstance("PKCS12");
        own.load(null, null);
        own.setKeyEntry("tls", privateKey("tls.key", "EC"), none, certificates("tls.pem"));
        KeyManagerFactory keys = KeyManagerFactory.getInstance(KeyManagerFactory.getDefaultAlgorithm());
        keys.init(own, none);
        KeyStore roots = KeyStore.getInstance("PKCS12");
        roots.load(null, null);
        roots.setCertificateEntry("root", certificates("gateway-root.pem")[0]);
        TrustManagerFactory trust = TrustManagerFactory.getInstance(TrustManagerFactory.getDefaultAlgorithm());
        trust.init(roots);
        SSLContext context = SSLContext.getInstance("TLSv1.3");
        context.init(keys.getKeyManagers(), trust.getTrustManagers(), null);
        return HttpClient.newBuilder()
                .sslContext(context)
                .version(HttpClient.Version.HTTP_1_1)
                .connectTimeout(Duration.ofSeconds(10))
                .build();
    }

    /** What signs and verifies SOAP messages; the algorithm follows from the key. */
    WsSecurity security(boolean sendsToken) throws Exception {
        return new WsSecurity(signing, certificates("signing.pem")[0], certificates("gateway.pem")[0], sendsToken);
    }

    /** The raw signature of section 4; its algorithm follows from the key. */
    byte[] sign(byte[] base) throws GeneralSecurityException {
        Signature signer = switch (algorithm) {
            case "ed25519" -> Signature.getInstance("Ed25519");
            case "ecdsa-p256-sha256" -> Signature.getInstance("SHA256withECDSAinP1363Format");
            default -> {
                Signature pss = Signature.getInstance("RSASSA-PSS");
                pss.setParameter(new PSSParameterSpec("SHA-512", "MGF1", MGF1ParameterSpec.SHA512, 64, 1));
                yield pss;
            }
        };
        signer.initSign(signing);
        signer.update(base);
        return signer.sign();
    }

    /** Whether the gateway signed this: ECDSA P-256, r || s. */
    boolean gatewaySigned(byte[] base, byte[] value) throws GeneralSecurityException {
        if (value.length != 64) {
            return false;
        }
        Signature verifier = Signature.getInstance("SHA256withECDSAinP1363Format");
        verifier.initVerify(gateway);
        verifier.update(base);
        return verifier.verify(value);
    }

    static byte[] sha256(byte[] data) throws GeneralSecurityException {
        return MessageDigest.getInstance("SHA-256").digest(data);
    }

    private static String keyid(Certificate certificate) throws GeneralSecurityException {
        return Base64.getUrlEncoder().withoutPadding().encodeToString(sha256(certificate.getEncoded()));
    }

    private X509Certificate[] certificates(String name) throws Exception {
        byte[] pem = Files.readAllBytes(folder.resolve(name));
        return CertificateFactory.getInstance("X.509")
                .generateCertificates(new ByteArrayInputStream(pem))
                .toArray(X509Certificate[]::new);
    }

    private PrivateKey privateKey(String name, String family) throws Exception {
        String pem = Files.readString(folder.resolve(name), StandardCharsets.US_ASCII);
        byte[] der = Base64.getMimeDecoder().decode(pem.replaceAll("-----[^-]+-----", ""));
        return KeyFactory.getInstance(family).generatePrivate(new PKCS8EncodedKeySpec(der));
    }
}
