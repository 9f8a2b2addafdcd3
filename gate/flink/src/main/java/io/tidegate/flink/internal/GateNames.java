package io.tidegate.flink.internal;

import io.tidegate.flink.TidegateException;
import java.io.Serializable;
import java.util.ArrayList;
import java.util.List;
import java.util.TreeSet;
import org.apache.flink.api.dag.Transformation;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;
import org.apache.flink.streaming.api.operators.StreamOperatorFactory;
import org.apache.flink.streaming.api.transformations.OneInputTransformation;

/**
 * The gates of one job graph. The agent must know all of them before it reports for the first time:
 * a cutover that does not know of a gate would be committed without it.
 *
 * <p>One object is shared by the factories of all gates of a graph, and read when the graph is
 * translated, at which point it is complete; each coordinator's provider carries the finished list.
 * That needs no start-up order of coordinators and no waiting for the last one. The object is found
 * through the gates that are already in the environment, so there is no static that would outlive a
 * graph or mix two environments of one JVM.
 */
final class GateNames implements Serializable {
    private static final long serialVersionUID = 1L;

    private final TreeSet<String> names = new TreeSet<>();

    static GateNames of(StreamExecutionEnvironment env) {
        for (Transformation<?> transformation : env.getTransformations()) {
            if (transformation instanceof OneInputTransformation) {
                StreamOperatorFactory<?> factory =
                        ((OneInputTransformation<?, ?>) transformation).getOperatorFactory();
                if (factory instanceof GateOperatorFactory) {
                    return ((GateOperatorFactory<?, ?>) factory).names();
                }
            }
        }
        return new GateNames();
    }

    /**
     * @throws TidegateException when the name is not valid or taken
     */
    void add(String name) {
        Settings.checkName("gate", name);
        if (!names.add(name)) {
            throw new TidegateException(
                    String.format(
                            "GateNameTaken: this job has a gate '%s' already; give each gate of a"
                                    + " job a name of its own, the same in both colors",
                            name));
        }
    }

    List<String> list() {
        return new ArrayList<>(names);
    }
}
