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
    SteppedJob from;
    SteppedJob to;
    TestingJob blue;
    TestingJob green;

    /** Nothing is allowed and nothing is asked for. */
    SteppedCutover(Path folder) {
        store = new TestingStore(folder);
        Stepped.reset();
        Hook.reset();
    }

    /** Starts both, and returns when both are at the limit, and green is ready. */
    void start(SteppedJob from, SteppedJob to, long limit) throws Exception {
        this.from = from;
        this.to = to;
        from.allow(limit);
        to.allow(limit);
        blue = started(from);
        long numbers = limit * from.sources();
        Eventually.becomes("blue's output", blue::committed, seen -> seen.size() == numbers);
        green = started(to);
        store.awaitStandby("green-1");
        store.awaitDiscarded("green-1", numbers);
    }

    private TestingJob started(SteppedJob member) throws Exception {
        TestingJob job = member.start();
        jobs.add(job);
        return job;
    }

    /** Lets both come to their end, and looks whether each number is visible once, and whose. */
    void finishExactly(long boundary, long count) throws Exception {
        from.allow(count);
        to.allow(count);
        blue.join();
        green.join();
        assertExact(boundary, count);
    }

    void assertExact(long boundary, long count) throws Exception {
        assertEquals(numbers(0, boundary), sorted(blue.committed()), "of blue");
        assertEquals(numbers(boundary, count), sorted(green.committed()), "of green");
    }

    private static List<Long> numbers(long from, long until) {
        return LongStream.range(from, until).boxed().collect(Collectors.toList());
    }

    private static List<Long> sorted(List<Long> numbers) {
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
