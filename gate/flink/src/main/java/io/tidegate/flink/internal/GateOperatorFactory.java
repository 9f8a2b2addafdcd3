package io.tidegate.flink.internal;

import org.apache.flink.api.common.eventtime.SerializableTimestampAssigner;
import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator;
import org.apache.flink.runtime.operators.coordination.OperatorEventDispatcher;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.CoordinatedOperatorFactory;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;

/** Makes gates and, in the JobManager, the coordinator of each. */
final class GateOperatorFactory<T> extends AbstractStreamOperatorFactory<T>
        implements OneInputStreamOperatorFactory<T, T>, CoordinatedOperatorFactory<T> {
    private static final long serialVersionUID = 1L;

    private final String gate;
    private final GateNames names;
    private final Settings settings;
    private final Evidence evidence;
    private final SerializableTimestampAssigner<T> timestamps;

    /**
     * @param timestamps null: the records' own
     */
    GateOperatorFactory(
            String gate,
            GateNames names,
            Settings settings,
            Evidence evidence,
            SerializableTimestampAssigner<T> timestamps) {
        this.gate = gate;
        this.names = names;
        this.settings = settings;
        this.evidence = evidence;
        this.timestamps = timestamps;
        setChainingStrategy(ChainingStrategy.ALWAYS);
    }

    GateNames names() {
        return names;
    }

    @Override
    @SuppressWarnings("unchecked") // the signature leaves no other way, see Flink's own factories
    public <O extends StreamOperator<T>> O createStreamOperator(
            StreamOperatorParameters<T> parameters) {
        OperatorID id = parameters.getStreamConfig().getOperatorID();
        OperatorEventDispatcher events = parameters.getOperatorEventDispatcher();
        CoordinatorLink link =
                CoordinatorLink.of(
                        parameters
                                .getContainingTask()
                                .getEnvironment()
                                .getOperatorCoordinatorEventGateway(),
                        id);
        GateOperator<T> operator = new GateOperator<>(parameters, gate, settings, timestamps, link);
        events.registerEventHandler(id, operator);
        return (O) operator;
    }

    @Override
    public OperatorCoordinator.Provider getCoordinatorProvider(String name, OperatorID id) {
        return new GateCoordinator.Provider(id, gate, evidence, settings, names.list());
    }

    @Override
    @SuppressWarnings("rawtypes") // Flink's signature
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
        return GateOperator.class;
    }
}
