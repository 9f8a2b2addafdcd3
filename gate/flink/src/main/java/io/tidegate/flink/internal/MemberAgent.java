package io.tidegate.flink.internal;

/**
 * The agent of a member, which gives the orders. {@link Native} has the meaning of each call;
 * whoever implements this passes the calls on and decides nothing.
 *
 * <p>Errors are {@link io.tidegate.flink.TidegateException}s.
 */
interface MemberAgent extends AutoCloseable {

    /** Blocks until there is an instruction; null after {@link #end}. One thread only. */
    byte[] next();

    /** From any thread; never blocks. */
    void tell(byte[] event);

    /** Makes the agent take its last round on the store, and {@link #next} return null after it. */
    void end();

    /** After the thread in {@link #next} has returned. */
    @Override
    void close();
}
