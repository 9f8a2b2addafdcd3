package io.tidegate.flink.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import io.tidegate.flink.Eventually;
import io.tidegate.flink.TestingOptions;
import io.tidegate.flink.TidegateOptions;
import java.io.IOException;
import java.lang.ref.WeakReference;
import java.lang.reflect.Method;
import java.net.URL;
import java.net.URLClassLoader;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.List;
import java.util.Set;
import java.util.concurrent.Future;
import java.util.concurrent.FutureTask;
import java.util.stream.Collectors;
import java.util.stream.Stream;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/**
 * The native library goes with its class loader, as with a job's that has ended; and it stays in
 * memory when a store in ZooKeeper was opened through it, whose client leaves threads behind.
 */
@Timeout(120)
class NativeUnloadITCase {
    private static final Path PROCESS = Path.of("/proc/self");

    /** The thread of ZooKeeper's client, which never ends. */
    private static final String CLIENT = "async-io";

    @TempDir Path folder;

    @Test
    void theLibraryGoesWithItsClassLoaderUnlessThreadsMayStay() throws Exception {
        Set<String> before = libraries();
        // nobody listens there: to try is enough for a thread
        String zookeeper = "zookeeper://127.0.0.1:1/tidegate";
        WeakReference<ClassLoader> opened = runAgent(zookeeper, null);
        assertFalse(threads().contains(CLIENT), "by now no thread keeps it");
        WeakReference<ClassLoader> driven = runAgent(zookeeper, CLIENT);
        Set<String> pinned = added(before);
        assertEquals(2, pinned.size(), pinned::toString);
        Eventually.becomes(
                "the class loaders are gone", () -> gone(opened) && gone(driven), gone -> gone);

        WeakReference<ClassLoader> directory = runAgent("directory://" + folder, null);
        // the JVM closes libraries one after the other: behind this one's end is that of the others
        Eventually.becomes(
                "a library is unloaded",
                () -> gone(directory) ? added(before) : Set.of(),
                libraries -> libraries.size() < 3 && !libraries.isEmpty());
        assertEquals(pinned, added(before));
        assertTrue(threads().contains(CLIENT), () -> threads().toString());
    }

    /**
     * Opens an agent in a class loader of its own, drives it until there is a thread of that name,
     * or not at all, and lets all of it go. The threads that have called the library end here:
     * while one lives that has to tidy up in it, the system does not unload it.
     */
    private static WeakReference<ClassLoader> runAgent(String store, String thread)
            throws Exception {
        Configuration options = TestingOptions.blue();
        options.set(TidegateOptions.STORE, store);
        byte[] config = new Settings(options).agentConfig("job", List.of("orders"));
        ThrowAway loader = new ThrowAway();
        Class<?> calls = loader.loadClass(Native.class.getName());
        call(loader.loadClass(NativeLibrary.class.getName()).getDeclaredMethod("load")).get();
        Object agent = call(calls.getDeclaredMethod("agentOpen", byte[].class), config).get();
        Method next = calls.getDeclaredMethod("agentNext", long.class);
        if (thread != null) {
            Future<Object> said = call(next, agent);
            Eventually.becomes("it begins", NativeUnloadITCase::threads, it -> it.contains(thread));
            call(calls.getDeclaredMethod("agentClose", long.class), agent).get();
            while (said.get() != null) {
                said = call(next, agent);
            }
        }
        call(calls.getDeclaredMethod("agentFree", long.class), agent).get();
        return new WeakReference<>(loader);
    }

    /** In a thread of its own. */
    private static Future<Object> call(Method method, Object... arguments) {
        method.setAccessible(true);
        FutureTask<Object> task = new FutureTask<>(() -> method.invoke(null, arguments));
        new Thread(task).start();
        return task;
    }

    private static boolean gone(WeakReference<ClassLoader> loader) {
        System.gc();
        return loader.get() == null;
    }

    private static Set<String> added(Set<String> before) {
        Set<String> now = libraries();
        now.removeAll(before);
        return now;
    }

    /** The files of the library that are mapped, though they are deleted. */
    private static Set<String> libraries() {
        try (Stream<String> lines = Files.lines(PROCESS.resolve("maps"))) {
            return lines.filter(line -> line.contains("/tidegate-bridge-"))
                    .map(line -> line.substring(line.indexOf('/')))
                    .collect(Collectors.toSet());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static Set<String> threads() {
        try (Stream<Path> tasks = Files.list(PROCESS.resolve("task"))) {
            return tasks.map(NativeUnloadITCase::name).collect(Collectors.toSet());
        } catch (IOException e) {
            throw new java.io.UncheckedIOException(e);
        }
    }

    private static String name(Path task) {
        try {
            return Files.readString(task.resolve("comm")).trim();
        } catch (IOException ended) {
            return "";
        }
    }

    /** Has the classes of this module once more, like a job's class loader. */
    private static final class ThrowAway extends URLClassLoader {
        ThrowAway() {
            super(
                    new URL[] {
                        NativeLibrary.class.getProtectionDomain().getCodeSource().getLocation()
                    },
                    NativeUnloadITCase.class.getClassLoader());
        }

        @Override
        protected Class<?> loadClass(String name, boolean resolve) throws ClassNotFoundException {
            synchronized (getClassLoadingLock(name)) {
                if (!name.startsWith("io.tidegate.flink.")) {
                    return super.loadClass(name, resolve);
                }
                Class<?> loaded = findLoadedClass(name);
                return loaded == null ? findClass(name) : loaded;
            }
        }
    }
}
