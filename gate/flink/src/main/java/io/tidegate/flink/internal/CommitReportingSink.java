package io.tidegate.flink.internal;

import java.io.Serializable;
import java.lang.reflect.InvocationHandler;
import java.lang.reflect.InvocationTargetException;
import java.lang.reflect.Method;
import java.lang.reflect.Modifier;
import java.lang.reflect.Proxy;
import java.util.LinkedHashSet;
import java.util.Set;
import org.apache.flink.api.common.typeinfo.Types;
import org.apache.flink.api.connector.sink2.Sink;
import org.apache.flink.api.connector.sink2.SupportsCommitter;
import org.apache.flink.streaming.api.connector.sink2.CommittableMessage;
import org.apache.flink.streaming.api.connector.sink2.SupportsPostCommitTopology;
import org.apache.flink.streaming.api.datastream.DataStream;

/**
 * A sink (FLIP-143, FLIP-191, FLIP-372) with a {@link CommitReporter} behind its committer.
 *
 * <p>A proxy rather than a class: Flink asks a sink with {@code instanceof} for what it can do
 * (writer state, pre-write, pre-commit and post-commit topologies, lineage), so the wrapper must
 * have exactly the interfaces of what it wraps; and createWriter has other parameters in 1.20 than
 * in 2.x, which a proxy never names.
 */
final class CommitReportingSink implements InvocationHandler, Serializable {
    private static final long serialVersionUID = 1L;

    private final Sink<?> sink;
    private final CommitReporterFactory<?> reporter;

    private CommitReportingSink(Sink<?> sink, CommitReporterFactory<?> reporter) {
        this.sink = sink;
        this.reporter = reporter;
    }

    /**
     * @param sink one that implements {@link SupportsCommitter}
     */
    @SuppressWarnings("unchecked") // the proxy implements Sink and passes T through
    static <T> Sink<T> of(Sink<T> sink, CommitReporterFactory<?> reporter) {
        Set<Class<?>> interfaces = new LinkedHashSet<>();
        for (Class<?> each = sink.getClass(); each != null; each = each.getSuperclass()) {
            collect(each, interfaces);
        }
        interfaces.add(SupportsPostCommitTopology.class);
        return (Sink<T>)
                Proxy.newProxyInstance(
                        CommitReportingSink.class.getClassLoader(),
                        interfaces.toArray(new Class<?>[0]),
                        new CommitReportingSink(sink, reporter));
    }

    /** Public ones only: a proxy may not implement KafkaSink's package-private one, nor need it. */
    private static void collect(Class<?> type, Set<Class<?>> interfaces) {
        for (Class<?> each : type.getInterfaces()) {
            if (Modifier.isPublic(each.getModifiers())) {
                interfaces.add(each);
            }
            collect(each, interfaces);
        }
    }

    @Override
    public Object invoke(Object proxy, Method method, Object[] arguments) throws Throwable {
        switch (method.getName()) {
            case "addPostCommitTopology":
                postCommit(arguments[0]);
                return null;
            case "equals":
                return proxy == arguments[0];
            case "toString":
                return "gated " + sink;
            default:
                try {
                    return method.invoke(sink, arguments);
                } catch (InvocationTargetException e) {
                    throw e.getCause();
                }
        }
    }

    @SuppressWarnings("unchecked") // one type of committable from committer to reporter
    private <CommT> void postCommit(Object argument) {
        DataStream<CommittableMessage<CommT>> committed =
                (DataStream<CommittableMessage<CommT>>) argument;
        if (sink instanceof SupportsPostCommitTopology) {
            ((SupportsPostCommitTopology<CommT>) sink).addPostCommitTopology(committed);
        }
        committed
                .transform("commit reporter", Types.VOID, (CommitReporterFactory<CommT>) reporter)
                .uid("tidegate-commit-reporter");
    }
}
