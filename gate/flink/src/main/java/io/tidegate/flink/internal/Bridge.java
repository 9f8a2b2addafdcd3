package io.tidegate.flink.internal;

/** The doors to the native side; everything behind them is the same. */
final class Bridge {

    /** A machine for a subtask; the configuration is that of {@link Native#subtaskOpen}. */
    static Machine machine(Settings settings, byte[] config) {
        return new NativeMachine(config);
    }

    /** An agent for a job; the configuration is that of {@link Native#agentOpen}. */
    static MemberAgent agent(Settings settings, byte[] config) {
        return new NativeAgent(config);
    }

    private Bridge() {}
}
