package io.tidegate.flink.internal;

/** A member's agent in the native library, in this JVM. */
final class NativeAgent implements MemberAgent {
    private final long handle;

    NativeAgent(byte[] config) {
        NativeLibrary.load();
        handle = Native.agentOpen(config);
    }

    @Override
    public byte[] next() {
        return Native.agentNext(handle);
    }

    @Override
    public void tell(byte[] event) {
        Native.agentTell(handle, event);
    }

    @Override
    public void end() {
        Native.agentClose(handle);
    }

    @Override
    public void close() {
        Native.agentFree(handle);
    }
}
