package io.tidegate.flink;

import java.net.URI;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.CompletionException;
import org.apache.flink.api.common.JobID;
import org.apache.flink.client.program.rest.RestClusterClient;
import org.apache.flink.configuration.Configuration;
import org.apache.flink.configuration.RestOptions;
import org.apache.flink.configuration.RpcOptions;
import org.apache.flink.runtime.executiongraph.AccessExecutionJobVertex;
import org.apache.flink.runtime.jobgraph.JobResourceRequirements;
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

    /** Asks the adaptive scheduler for another parallelism of all but the sources. */
    void rescale(JobID job, int parallelism) throws Exception {
        JobResourceRequirements.Builder wanted = JobResourceRequirements.newBuilder();
        for (AccessExecutionJobVertex vertex :
                cluster.getExecutionGraph(job).get().getVerticesTopologically()) {
            int upper = vertex.getName().startsWith("Source: ") ? 1 : parallelism;
            wanted.setParallelismForJobVertex(vertex.getJobVertexId(), 1, upper);
        }
        Configuration config = new Configuration();
        config.set(RestOptions.ADDRESS, address.getHost());
        config.set(RestOptions.PORT, address.getPort());
        try (RestClusterClient<String> client = new RestClusterClient<>(config, "a test's")) {
            client.updateJobResourceRequirements(job, wanted.build()).get();
        }
    }

    @Override
    public void close() throws Exception {
        cluster.close();
    }
}
