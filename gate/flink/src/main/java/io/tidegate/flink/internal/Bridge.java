package io.tidegate.flink.internal;

/**
 * The doors to the native side; everything behind them is the same. With {@code tidegate.sidecar}
 * set no native code is loaded.
 */
final class Bridge {

    /** A machine for a subtask; the configuration is that of {@link Native#subtaskOpen}. */
    static Machine machine(Settings settings, byte[] config) {
        return settings.sidecar() == null
                ? new NativeMachine(config)
                : new SidecarMachine(settings.sidecar(), config);
    }

    /** An agent for a job; the configuration is that of {@link Native#agentOpen}. */
    static MemberAgent agent(Settings settings, byte[] config) {
        return settings.sidecar() == null
                ? new NativeAgent(config)
                : new SidecarAgent(settings.sidecar(), config);
    }

    private Bridge() {}
}
