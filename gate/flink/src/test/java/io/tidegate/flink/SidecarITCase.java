package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNotNull;
import static org.junit.jupiter.api.Assertions.assertThrows;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.time.Duration;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.concurrent.ExecutionException;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestartStrategyOptions;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whole jobs whose gates are in a sidecar, a process of its own, that is killed. */
@Timeout(180)
class SidecarITCase {
    private static final long COUNT = 100_000;
    private static final double PER_SECOND = 1_000;

    @TempDir Path folder;
    private final List<TestingJob> jobs = new ArrayList<>();

    @BeforeEach
    void steady() {
        Paced.steady();
    }

    @AfterEach
    void cancel() throws Exception {
        for (TestingJob job : jobs) {
            job.cancel();
        }
        Eventually.becomes("the agents' end", TestingJob::agents, List::isEmpty);
        // the whole JVM of these tests takes this door only
        String mapped = Files.readString(Path.of("/proc/self/maps"));
        assertFalse(mapped.contains("/tidegate-bridge-"), "native code was loaded");
    }

    private TestingJob start(Color color, int parallelism, Configuration more) throws Exception {
        TestingJob job =
                TestingJob.start(
                        folder,
                        color,
                        parallelism,
                        COUNT,
                        PER_SECOND,
                        20_000,
                        TestingJob.NONE,
                        more);
        jobs.add(job);
        return job;
    }

    private static Configuration by(Path socket) {
        Configuration config = new Configuration();
        config.set(TidegateOptions.SIDECAR, socket.toString());
        config.set(RestartStrategyOptions.RESTART_STRATEGY, "fixed-delay");
        config.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 1_000);
        config.set(
                RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_DELAY, Duration.ofMillis(200));
        return config;
    }

    @Test
    void killedWhileTheBoundaryIsFinalNothingIsLostAndNothingDoubled() throws Exception {
        TestingStore store = new TestingStore(folder);
        try (TestingSidecar sidecar = TestingSidecar.start(folder.resolve("socket"))) {
            TestingJob blue = start(Color.BLUE, 2, by(sidecar.socket()));
            Eventually.becomes("blue's output", blue::committed, seen -> !seen.isEmpty());
            TestingJob green = start(Color.GREEN, 1, by(sidecar.socket()));
            store.awaitStandby("green-1");
            // far enough for blue to be below it when it is committed and the sidecar dies
            long boundary = Collections.max(blue.committed()) + 30_000;
            store.promote("green-1", Long.toString(boundary));
            Eventually.becomes(
                    "the commit", store::document, text -> text.contains("\"committed\""));
            int lives = Paced.lives();
            sidecar.kill();
            assertTrue(store.document().contains("\"committed\""), "it was finished too soon");
            assertTrue(green.committed().isEmpty(), "green has begun without its boundary");
            sidecar.startAgain();
            Eventually.becomes("both jobs' next lives", Paced::lives, now -> now >= lives + 2);
            Paced.hurry();
            blue.join();
            green.join();

            List<Long> old = blue.committed();
            List<Long> fresh = green.committed();
            assertEquals(boundary - 1, Collections.max(old));
            assertEquals(boundary, Collections.min(fresh));
            List<Long> all = new ArrayList<>(old);
            all.addAll(fresh);
            Collections.sort(all);
            assertEquals(LongStream.range(0, COUNT).boxed().collect(Collectors.toList()), all);
        }
    }

    /** The restart strategy decides how often to look for it; the JobManager lives on. */
    @Test
    void killedAndNotStartedAgainTheJobEndsWithTheReason() throws Exception {
        try (TestingSidecar sidecar = TestingSidecar.start(folder.resolve("socket"))) {
            Configuration config = by(sidecar.socket());
            config.set(RestartStrategyOptions.RESTART_STRATEGY_FIXED_DELAY_ATTEMPTS, 2);
            TestingJob job = start(Color.BLUE, 1, config);
            Eventually.becomes("its output", job::committed, seen -> !seen.isEmpty());
            sidecar.kill();
            String message = failure(job);
            assertTrue(message.startsWith("SidecarMissing: nothing answers at "), message);
        }
    }

    @Test
    void withoutASidecarTheJobFailsAndSaysHowToStartOne() throws Exception {
        Configuration config = by(folder.resolve("nobody"));
        config.set(RestartStrategyOptions.RESTART_STRATEGY, "none");
        TestingJob job = start(Color.BLUE, 1, config);
        String message = failure(job);
        String socket = folder.resolve("nobody").toString();
        assertTrue(message.startsWith("SidecarMissing: nothing answers at " + socket), message);
        assertTrue(message.contains("`tidegate sidecar --socket " + socket + "`"), message);
    }

    /** What the job failed of, in the end. */
    private static String failure(TestingJob job) {
        ExecutionException failure = assertThrows(ExecutionException.class, job::join);
        Throwable cause = failure;
        while (!(cause instanceof TidegateException)) {
            assertNotNull(cause.getCause(), failure::toString);
            cause = cause.getCause();
        }
        return cause.getMessage();
    }
}
