package io.tidegate.flink.internal;

import io.tidegate.flink.TidegateException;
import java.io.IOException;
import java.io.InputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.nio.file.StandardCopyOption;

/**
 * Loads the native library that lies in the jar.
 *
 * <p>A JVM binds a library's path to one class loader, and every submission of a job has its own.
 * So each class loader gets a file of its own, deleted as soon as it is mapped; the mapping goes
 * with the class loader, unless a store in ZooKeeper was opened through it.
 */
final class NativeLibrary {
    private static boolean loaded;

    /**
     * Does nothing when this class loader has the library already.
     *
     * @throws TidegateException when the jar has no library for this platform, or it cannot be
     *     loaded
     */
    static synchronized void load() {
        if (loaded) {
            return;
        }
        String platform = platform(System.getProperty("os.name"), System.getProperty("os.arch"));
        String resource = "/native/" + platform + "/libtidegate_bridge.so";
        try (InputStream library = NativeLibrary.class.getResourceAsStream(resource)) {
            if (library == null) {
                throw new TidegateException(
                        "UnsupportedPlatform: this jar has no native library for "
                                + platform
                                + "; build tidegate-flink with one (-Dbridge.library=... "
                                + "-Dbridge.platform="
                                + platform
                                + ")");
            }
            Path file = Files.createTempFile("tidegate-bridge-", ".so");
            try {
                Files.copy(library, file, StandardCopyOption.REPLACE_EXISTING);
                System.load(file.toString());
            } finally {
                Files.deleteIfExists(file);
            }
        } catch (IOException | UnsatisfiedLinkError e) {
            throw new TidegateException(
                    "NativeLibrary: "
                            + resource
                            + " cannot be loaded; java.io.tmpdir must be writable and allow"
                            + " execution",
                    e);
        }
        loaded = true;
    }

    /** The folder of a platform inside the jar. */
    static String platform(String os, String arch) {
        String name = os.toLowerCase(java.util.Locale.ROOT).replaceAll("[^a-z0-9]", "");
        switch (arch) {
            case "amd64":
            case "x86_64":
                return name + "-x86_64";
            case "aarch64":
            case "arm64":
                return name + "-aarch64";
            default:
                return name + "-" + arch;
        }
    }

    private NativeLibrary() {}
}
