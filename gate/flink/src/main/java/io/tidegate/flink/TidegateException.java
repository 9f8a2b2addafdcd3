package io.tidegate.flink;

/**
 * What went wrong, and what to do. The message starts with a stable code, such as {@code
 * SinkStateInherited: ...}; the same code stands in events, conditions and metrics. The native
 * library throws it too, also for its panics.
 */
public class TidegateException extends RuntimeException {
    private static final long serialVersionUID = 1L;

    /**
     * @param message the code, a colon, what happened and the way out
     */
    public TidegateException(String message) {
        super(message);
    }

    /**
     * @param message the code, a colon, what happened and the way out
     * @param cause not repeated in the message
     */
    public TidegateException(String message, Throwable cause) {
        super(message, cause);
    }
}
