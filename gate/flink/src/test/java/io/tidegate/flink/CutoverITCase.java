package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.LongStream;
import org.apache.flink.configuration.Configuration;
import org.junit.jupiter.api.AfterEach;
import org.junit.jupiter.api.BeforeEach;
import org.junit.jupiter.api.Test;
import org.junit.jupiter.api.Timeout;
import org.junit.jupiter.api.io.TempDir;

/** Whole jobs with the real agents and a directory as store. */
@Timeout(180)
class CutoverITCase {
    /** More than can go by at the steady rate before the longest wait of this test is over. */
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
        // an agent ends after its job, and until then it writes its report into the folder
        Eventually.becomes("the agents' end", TestingJob::agents, List::isEmpty);
    }

    private TestingJob start(Color color, int parallelism, long count, long bound)
            throws Exception {
        TestingJob job = TestingJob.start(folder, color, parallelism, count, PER_SECOND, bound);
        jobs.add(job);
        return job;
    }

    /** With a bound this low the gate waits for its very first order by request. */
    @Test
    void aSingleJobEmitsEverythingOnce() throws Exception {
        TestingJob blue = start(Color.BLUE, 2, 2_000, 1);
        blue.join();
        assertEquals(numbers(2_000), sorted(blue.committed()));
    }

    @Test
    void eachRecordIsVisibleOnceOverACutover() throws Exception {
        TestingJob blue = start(Color.BLUE, 2, COUNT, 1_000);
        Eventually.becomes("blue's output", blue::committed, seen -> !seen.isEmpty());
        TestingJob green = start(Color.GREEN, 1, COUNT, 50);
        cutOver(blue, green);
        Paced.hurry();
        blue.join();
        green.join();

        List<Long> old = blue.committed();
        List<Long> fresh = green.committed();
        List<Long> all = new ArrayList<>(old);
        all.addAll(fresh);
        assertEquals(numbers(COUNT), sorted(all));
        assertTrue(
                Collections.max(old) < Collections.min(fresh),
                Collections.max(old) + " of blue, " + Collections.min(fresh) + " of green");
    }

    /**
     * F7, and decisions 7 and 31: with unaligned checkpoints, a sink in another task than its gate,
     * a record of the far future, and previews. What a version does not write is in its preview.
     */
    @Test
    void aRecordOfTheFarFutureBlocksNoCutover() throws Exception {
        long poison = 500;
        List<TestingJob> both = new ArrayList<>();
        for (Color color : Color.values()) {
            Configuration nothing = new Configuration();
            TestingJob job =
                    TestingJob.start(folder, color, 1, COUNT, PER_SECOND, 1_000, poison, nothing);
            jobs.add(job);
            both.add(job);
            Path report = folder.resolve("store/numbers/reports/" + color + "-1.json");
            String told =
                    Eventually.becomes(
                            "word of the record in " + color + "'s report",
                            () -> Files.exists(report) ? Files.readString(report) : "",
                            text -> text.contains("\"future\": 1"));
            assertTrue(told.contains("\"time\": " + TestingJob.FAR), told);
        }
        cutOver(both.get(0), both.get(1));
        Paced.hurry();
        List<Long> all = new ArrayList<>();
        for (TestingJob job : both) {
            job.join();
            List<Long> written = job.committed();
            all.addAll(written);
            written.addAll(job.previewed());
            assertEquals(numbers(COUNT), sorted(written));
        }
        assertEquals(numbers(COUNT), sorted(all));
    }

    private void cutOver(TestingJob blue, TestingJob green) throws Exception {
        TestingStore store = new TestingStore(folder);
        store.awaitStandby("green-1");
        store.promote("green-1", "now");
        Eventually.becomes("green's output", green::committed, seen -> !seen.isEmpty());
        assertFalse(blue.isDone(), "the cutover came too late to test anything");
    }

    private static List<Long> numbers(long count) {
        return LongStream.range(0, count).boxed().collect(Collectors.toList());
    }

    private static List<Long> sorted(List<Long> numbers) {
        Collections.sort(numbers);
        return numbers;
    }
}
