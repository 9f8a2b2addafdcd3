package io.tidegate.flink;

import java.net.URI;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.apache.flink.api.common.JobID;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.RpcOptions;
import org.apache.flink.runtime.minicluster.MiniCluster;
import org.apache.flink.runtime.minicluster.MiniClusterConfiguration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** A cluster in this JVM for several jobs, which are submitted to it as to any other. */
final class TestingCluster implements AutoCloseable {
    private final MiniCluster cluster;
    private final URI address;

    private TestingCluster(MiniCluster cluster, URI address) {
        this.cluster = cluster;
        this.address = address;
    }

    static TestingCluster start(int slots, Configuration more) throws Exception {
        Configuration config = new Configuration();
        config.set(RestOptions.BIND_PORT, "0");
        // answers to waiting gates cross as bytes, as between processes
        config.set(RpcOptions.FORCE_RPC_INVOCATION_SERIALIZATION, true);
        config.addAll(more);
        MiniCluster cluster =
                new MiniCluster(
                        new MiniClusterConfiguration.Builder()
                                .setConfiguration(config)
                                .setNumTaskManagers(1)
                                .setNumSlotsPerTaskManager(slots)
                                .build());
        cluster.start();
        return new TestingCluster(cluster, cluster.getRestAddress().get());
    }

    /** Whose jobs run here. */
    StreamExecutionEnvironment environment(Configuration config) {
        return StreamExecutionEnvironment.createRemoteEnvironment(
                address.getHost(), address.getPort(), config);
    }

    /**
     * Done when the job is; asked of the cluster itself, since a client only looks now and then.
     */
    CompletableFuture<?> result(JobID job) {
        return cluster.requestJobResult(job)
                .thenAccept(
                        result -> {
                            try {
                                result.toJobExecutionResult(getClass().getClassLoader());
                            } catch (Exception failure) {
                                throw new CompletionException(failure);
                            }
                        });
    }

    @Override
    public void close() throws Exception {
        cluster.close();
    }
}
