package io.tidegate.flink.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
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
import java.util.concurrent.Callable;
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

    @TempDir Path folder;

    @Test
    void theLibraryGoesWithItsClassLoaderUnlessThreadsStay() throws Exception {
        Set<String> before = libraries();
        // nobody listens there: to try is enough for the thread
        WeakReference<ClassLoader> zookeeper = runAgent("zookeeper://127.0.0.1:1/tidegate");
        Set<String> pinned = added(before);
        assertEquals(1, pinned.size(), pinned::toString);
        Eventually.becomes("the first class loader is gone", () -> gone(zookeeper), gone -> gone);
        assertEquals(pinned, added(before), "it is kept by its class loader");

        WeakReference<ClassLoader> directory = runAgent("directory://" + folder);
        assertEquals(2, added(before).size());
        // the JVM closes libraries one after the other: behind this one's end is the first one's
        Eventually.becomes(
                "only one library is loaded",
                () -> gone(directory) ? added(before) : Set.of(),
                libraries -> libraries.size() == 1);
        assertEquals(pinned, added(before));
        assertTrue(threads().contains("async-io"), () -> threads().toString());
    }

    /**
     * Runs an agent in a class loader of its own, and lets all of it go. The threads that have
     * called the library end here, because it cannot be unloaded before.
     */
    private static WeakReference<ClassLoader> runAgent(String store) throws Exception {
        Configuration options = TestingOptions.blue();
        options.set(TidegateOptions.STORE, store);
        byte[] config = new Settings(options).agentConfig("job", List.of("orders"));
        ThrowAway loader = new ThrowAway();
        Class<?> calls = loader.loadClass(Native.class.getName());
        Method next = calls.getDeclaredMethod("agentNext", long.class);
        inThread(
                        () ->
                                call(
                                        loader.loadClass(NativeLibrary.class.getName())
                                                .getDeclaredMethod("load")))
                .get();
        long agent =
                (long)
                        inThread(
                                        () ->
                                                call(
                                                        calls.getDeclaredMethod(
                                                                "agentOpen", byte[].class),
                                                        config))
                                .get();
        Future<?> runner = inThread(() -> untilClosed(next, agent));
        if (store.startsWith("zookeeper:")) {
            Eventually.becomes(
                    "the client begins",
                    NativeUnloadITCase::threads,
                    it -> it.contains("async-io"));
        }
        for (String end : List.of("agentClose", "agentFree")) {
            inThread(() -> call(calls.getDeclaredMethod(end, long.class), agent)).get();
            runner.get();
        }
        return new WeakReference<>(loader);
    }

    private static Object untilClosed(Method next, long agent) throws ReflectiveOperationException {
        Object said = call(next, agent);
        while (said != null) {
            said = call(next, agent);
        }
        return null;
    }

    private static Future<Object> inThread(Callable<Object> work) {
        FutureTask<Object> task = new FutureTask<>(work);
        new Thread(task).start();
        return task;
    }

    private static Object call(Method method, Object... arguments)
            throws ReflectiveOperationException {
        method.setAccessible(true);
        return method.invoke(null, arguments);
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
