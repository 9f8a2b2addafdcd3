package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertEquals;

import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Collections;
import java.util.List;
import java.util.stream.Collectors;
import java.util.stream.LongStream;

/** Two members on the way from one to the other, step by step. */
final class SteppedCutover {
    final TestingStore store;
    private final List<TestingJob> jobs = new ArrayList<>();
    TestingJob blue;
    TestingJob green;

    /** Nothing is allowed and nothing is asked for. */
    SteppedCutover(Path folder) {
        store = new TestingStore(folder);
        Stepped.reset();
        Hook.reset();
    }

    /**
     * Starts both, and returns when blue's numbers below the limit are visible and green is ready.
     */
    void start(SteppedJob from, SteppedJob to, long limit) throws Exception {
        Stepped.allow("blue-0", limit);
        Stepped.allow("green-0", limit);
        blue = started(from);
        Eventually.becomes("blue's output", blue::committed, seen -> seen.size() == limit);
        green = started(to);
        store.awaitStandby("green-1");
        // what green has read by now must be below the boundary
        Eventually.becomes(
                "green's arrival",
                () -> store.gate("green-1"),
                gate -> gate.path("discarded").asLong() == limit);
    }

    private TestingJob started(SteppedJob member) throws Exception {
        TestingJob job = member.start();
        jobs.add(job);
        return job;
    }

    /** Lets both come to their end, and looks whether each number is visible once, and whose. */
    void finishExactly(long boundary, long count) throws Exception {
        Stepped.allow("blue-0", count);
        Stepped.allow("green-0", count);
        blue.join();
        green.join();
        assertEquals(numbers(0, boundary), sorted(blue.committed()), "of blue");
        assertEquals(numbers(boundary, count), sorted(green.committed()), "of green");
    }

    static List<Long> numbers(long from, long until) {
        return LongStream.range(from, until).boxed().collect(Collectors.toList());
    }

    static List<Long> sorted(List<Long> numbers) {
        Collections.sort(numbers);
        return numbers;
    }

    void close() throws Exception {
        for (TestingJob job : jobs) {
            job.cancel();
        }
        // an agent ends after its job, and until then it writes its report into the folder
        Eventually.becomes("the agents' end", TestingJob::agents, List::isEmpty);
    }
}
