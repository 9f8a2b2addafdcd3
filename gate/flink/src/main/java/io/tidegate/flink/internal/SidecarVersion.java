package io.tidegate.flink.internal;

import java.io.IOException;
import java.io.InputStream;
import java.nio.charset.StandardCharsets;

/** The version of this jar, for people who have to match it with a sidecar's. */
final class SidecarVersion {
    private static final String RESOURCE = "/io/tidegate/flink/version";

    static String own() {
        try (InputStream text = SidecarVersion.class.getResourceAsStream(RESOURCE)) {
            return text == null
                    ? "unknown"
                    : new String(text.readAllBytes(), StandardCharsets.UTF_8).trim();
        } catch (IOException e) {
            return "unknown";
        }
    }

    private SidecarVersion() {}
}
