package io.tidegate.flink.internal;

/** Threads that belong to a job and end with it. */
final class Threads {

    /**
     * @param loader the job's class loader, for what the thread looks up by name
     */
    static Thread daemon(Runnable work, String name, ClassLoader loader) {
        Thread thread = new Thread(work, name);
        thread.setDaemon(true);
        thread.setContextClassLoader(loader);
        return thread;
    }

    private Threads() {}
}
