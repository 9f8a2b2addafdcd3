package io.tidegate.flink.internal;

import org.apache.flink.runtime.jobgraph.OperatorID;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator;
import org.apache.flink.runtime.operators.coordination.OperatorEventDispatcher;
import org.apache.flink.streaming.api.connector.sink2.CommittableMessage;
import org.apache.flink.streaming.api.operators.AbstractStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.ChainingStrategy;
import org.apache.flink.streaming.api.operators.CoordinatedOperatorFactory;
import org.apache.flink.streaming.api.operators.OneInputStreamOperatorFactory;
import org.apache.flink.streaming.api.operators.StreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;

/** Makes the operators behind a committer and their coordinator. */
final class CommitReporterFactory<CommT> extends AbstractStreamOperatorFactory<Void>
        implements OneInputStreamOperatorFactory<CommittableMessage<CommT>, Void>,
                CoordinatedOperatorFactory<Void> {
    private static final long serialVersionUID = 1L;

    private final String gate;
    private final GateNames names;
    private final Settings settings;

    CommitReporterFactory(String gate, GateNames names, Settings settings) {
        this.gate = gate;
        this.names = names;
        this.settings = settings;
        setChainingStrategy(ChainingStrategy.ALWAYS);
    }

    @Override
    @SuppressWarnings("unchecked") // the signature leaves no other way, see Flink's own factories
    public <O extends StreamOperator<Void>> O createStreamOperator(
            StreamOperatorParameters<Void> parameters) {
        OperatorID id = parameters.getStreamConfig().getOperatorID();
        OperatorEventDispatcher events = parameters.getOperatorEventDispatcher();
        return (O) new CommitReporter<CommT>(parameters, events.getOperatorEventGateway(id));
    }

    @Override
    public OperatorCoordinator.Provider getCoordinatorProvider(String name, OperatorID id) {
        return new CommitCoordinator.Provider(id, gate, settings, names.list());
    }

    @Override
    @SuppressWarnings("rawtypes") // Flink's signature
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
        return CommitReporter.class;
    }
}
