package io.tidegate.flink;

import org.apache.flink.configuration.Configuration;
import org.apache.flink.streaming.api.environment.StreamExecutionEnvironment;

/** Options of a member as tests need them. */
public final class TestingOptions {

    /** Blue, generation 1, of the rollout {@code rollout}. */
    public static Configuration blue() {
        Configuration config = new Configuration();
        config.set(TidegateOptions.STORE, "directory:///nowhere");
        config.set(TidegateOptions.ROLLOUT, "rollout");
        config.set(TidegateOptions.COLOR, Color.BLUE);
        TestingSidecar.choose(config);
        return config;
    }

    /** An environment with checkpoints. */
    public static StreamExecutionEnvironment environment(Configuration config) {
        StreamExecutionEnvironment env = StreamExecutionEnvironment.getExecutionEnvironment(config);
        env.enableCheckpointing(100);
        return env;
    }

    private TestingOptions() {}
}
