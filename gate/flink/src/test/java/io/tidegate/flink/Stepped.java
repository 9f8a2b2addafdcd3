package io.tidegate.flink;

import java.util.ArrayDeque;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.Queue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import org.apache.flink.api.connector.source.ReaderOutput;
import org.apache.flink.api.connector.source.SourceReader;
import org.apache.flink.api.connector.source.SourceReaderContext;
import org.apache.flink.api.connector.source.lib.NumberSequenceSource;
import org.apache.flink.core.io.InputStatus;

/**
 * The numbers from 0 on, as far as a test allows: a source that may go no further is live, and
 * takes part in checkpoints, but brings nothing. What is allowed holds for the whole JVM.
 */
final class Stepped extends NumberSequenceSource {
    private static final long serialVersionUID = 1L;

    private static final Map<String, Limit> LIMITS = new ConcurrentHashMap<>();

    private final String name;

    /**
     * @param name what {@link #allow} calls it
     * @param count of all partitions together
     */
    Stepped(String name, long count) {
        super(0, count - 1);
        this.name = name;
    }

    /** Lets numbers below the limit pass, and not only in this life of the source. */
    static void allow(String name, long limit) {
        limit(name).raise(limit);
    }

    /** No source may bring anything. */
    static void reset() {
        LIMITS.clear();
    }

    private static Limit limit(String name) {
        return LIMITS.computeIfAbsent(name, ignored -> new Limit());
    }

    @Override
    public SourceReader<Long, NumberSequenceSplit> createReader(SourceReaderContext context) {
        return new Reader(limit(name), context);
    }

    private static final class Limit {
        private long limit;
        private CompletableFuture<Void> raised = new CompletableFuture<>();

        synchronized boolean allows(long number) {
            return number < limit;
        }

        /** Done when the number is allowed, or when there is reason to ask again. */
        synchronized CompletableFuture<Void> allowing(long number) {
            return number < limit ? CompletableFuture.completedFuture(null) : raised;
        }

        void raise(long to) {
            CompletableFuture<Void> over;
            synchronized (this) {
                limit = to;
                over = raised;
                raised = new CompletableFuture<>();
            }
            over.complete(null);
        }
    }

    /** Reads one partition after the other; each is asked for when the one before is at its end. */
    private static final class Reader implements SourceReader<Long, NumberSequenceSplit> {
        private final Limit limit;
        private final SourceReaderContext context;
        private final Queue<NumberSequenceSplit> splits = new ArrayDeque<>();
        private CompletableFuture<Void> arrival = new CompletableFuture<>();
        private NumberSequenceSplit split;
        private long next;
        private boolean over;

        Reader(Limit limit, SourceReaderContext context) {
            this.limit = limit;
            this.context = context;
        }

        @Override
        public void start() {
            if (splits.isEmpty()) {
                context.sendSplitRequest();
            }
        }

        @Override
        public void addSplits(List<NumberSequenceSplit> added) {
            splits.addAll(added);
            arrival.complete(null);
        }

        @Override
        public void notifyNoMoreSplits() {
            over = true;
            arrival.complete(null);
        }

        @Override
        public InputStatus pollNext(ReaderOutput<Long> output) {
            if (split == null) {
                split = splits.poll();
                if (split == null) {
                    return over ? InputStatus.END_OF_INPUT : InputStatus.NOTHING_AVAILABLE;
                }
                next = split.from();
            }
            if (!limit.allows(next)) {
                return InputStatus.NOTHING_AVAILABLE;
            }
            output.collect(next++);
            if (next > split.to()) {
                split = null;
                if (splits.isEmpty() && !over) {
                    arrival = new CompletableFuture<>();
                    context.sendSplitRequest();
                }
            }
            return InputStatus.MORE_AVAILABLE;
        }

        @Override
        public CompletableFuture<Void> isAvailable() {
            return split == null ? arrival : limit.allowing(next);
        }

        @Override
        public List<NumberSequenceSplit> snapshotState(long checkpointId) {
            List<NumberSequenceSplit> left = new ArrayList<>(splits);
            if (split != null) {
                left.add(new NumberSequenceSplit(split.splitId(), next, split.to()));
            }
            return left;
        }

        @Override
        public void close() {}
    }
}
