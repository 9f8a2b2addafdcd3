package io.tidegate.flink.internal;

import java.util.ArrayList;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.util.CollectorOutput;
import org.openjdk.jmh.infra.Blackhole;

/** Makes an operator whose output is a black hole instead of the harness's list. */
final class Blackholes extends AbstractStreamOperatorFactory<Long>
        implements OneInputStreamOperatorFactory<Long, Long> {
    private static final long serialVersionUID = 1L;

    /** Takes what an operator emits. Flink 2.x has a method more than 1.20, so no Output is new. */
    static final class Hole extends CollectorOutput<Long> {
        private final Blackhole hole;

        Hole(Blackhole hole) {
            super(new ArrayList<>());
            this.hole = hole;
        }

        @Override
        public void collect(StreamRecord<Long> record) {
            // its content: else the loop without an operator is not run at all
            hole.consume(record.getTimestamp());
        }
    }

    private final AbstractStreamOperatorFactory<Long> operator;
    private final transient Hole hole;

    Blackholes(AbstractStreamOperatorFactory<Long> operator, Hole hole) {
        this.operator = operator;
        this.hole = hole;
    }

    @Override
    public <O extends StreamOperator<Long>> O createStreamOperator(
            StreamOperatorParameters<Long> parameters) {
        operator.setProcessingTimeService(parameters.getProcessingTimeService());
        return operator.createStreamOperator(
                new StreamOperatorParameters<>(
                        parameters.getContainingTask(),
                        parameters.getStreamConfig(),
                        hole,
                        parameters::getProcessingTimeService,
                        parameters.getOperatorEventDispatcher(),
                        parameters.getMailboxExecutor()));
    }

    @Override
    @SuppressWarnings("rawtypes") // Flink's signature
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
        return operator.getStreamOperatorClass(loader);
    }
}
