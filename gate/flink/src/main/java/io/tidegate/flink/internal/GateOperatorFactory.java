package io.tidegate.flink.internal;

import io.tidegate.flink.Tagged;
import java.io.Serializable;
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
final class GateOperatorFactory<T, OUT> extends AbstractStreamOperatorFactory<OUT>
        implements OneInputStreamOperatorFactory<T, OUT>, CoordinatedOperatorFactory<OUT> {
    private static final long serialVersionUID = 1L;

    /** Makes the operator itself. */
    interface Maker<T, OUT> extends Serializable {
        GateOperator<T, OUT> make(
                StreamOperatorParameters<OUT> parameters,
                GateShape<T> shape,
                Settings settings,
                CoordinatorLink link);
    }

    private final GateShape<T> shape;
    private final Maker<T, OUT> maker;
    private final GateNames names;
    private final Settings settings;
    private final Evidence evidence;

    private GateOperatorFactory(
            GateShape<T> shape,
            Maker<T, OUT> maker,
            GateNames names,
            Settings settings,
            Evidence evidence) {
        this.shape = shape;
        this.maker = maker;
        this.names = names;
        this.settings = settings;
        this.evidence = evidence;
        setChainingStrategy(ChainingStrategy.ALWAYS);
    }

    /** Of a gate that lets through what this version is to write. */
    static <T> GateOperatorFactory<T, T> filtering(
            GateShape<T> shape, GateNames names, Settings settings, Evidence evidence) {
        return new GateOperatorFactory<>(shape, FilteringGate::new, names, settings, evidence);
    }

    /** Of a gate that lets everything through, with what was decided. */
    static <T> GateOperatorFactory<T, Tagged<T>> tagging(
            GateShape<T> shape, GateNames names, Settings settings, Evidence evidence) {
        return new GateOperatorFactory<>(shape, TaggingGate::new, names, settings, evidence);
    }

    GateNames names() {
        return names;
    }

    @Override
    @SuppressWarnings("unchecked") // the signature leaves no other way, see Flink's own factories
    public <O extends StreamOperator<OUT>> O createStreamOperator(
            StreamOperatorParameters<OUT> parameters) {
        OperatorID id = parameters.getStreamConfig().getOperatorID();
        OperatorEventDispatcher events = parameters.getOperatorEventDispatcher();
        CoordinatorLink link =
                CoordinatorLink.of(
                        parameters
                                .getContainingTask()
                                .getEnvironment()
                                .getOperatorCoordinatorEventGateway(),
                        id);
        GateOperator<T, OUT> operator = maker.make(parameters, shape, settings, link);
        events.registerEventHandler(id, operator);
        return (O) operator;
    }

    @Override
    public OperatorCoordinator.Provider getCoordinatorProvider(String name, OperatorID id) {
        return new GateCoordinator.Provider(id, shape.name, evidence, settings, names.list());
    }

    @Override
    @SuppressWarnings("rawtypes") // Flink's signature
    public Class<? extends StreamOperator> getStreamOperatorClass(ClassLoader loader) {
        return GateOperator.class;
    }
}
