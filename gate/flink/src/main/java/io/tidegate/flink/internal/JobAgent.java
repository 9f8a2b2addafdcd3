package io.tidegate.flink.internal;

import io.tidegate.flink.TidegateException;
import java.util.ArrayList;
import java.util.List;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.ConcurrentHashMap;
import java.util.concurrent.CopyOnWriteArrayList;
import java.util.concurrent.ExecutionException;
import java.util.concurrent.Executors;
import java.util.concurrent.ScheduledExecutorService;
import java.util.concurrent.TimeUnit;
import java.util.concurrent.TimeoutException;
import org.apache.flink.runtime.checkpoint.CheckpointCoordinator;
import org.apache.flink.runtime.execution.SuppressRestartsException;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The agent of a job, shared by the coordinators of all its gates and committers: one store client
 * per job. The native agent is driven by one daemon Java thread, which enters the native side and
 * carries out the instructions that it returns; the native side starts no thread that could outlive
 * the class loader, but for a store in ZooKeeper, with which the library stays in memory.
 *
 * <p>It lives in the {@link org.apache.flink.runtime.operators.coordination.CoordinatorStore},
 * which Flink makes once per execution graph and gives to exactly the coordinators of that graph.
 * The adaptive scheduler starts new coordinators before the old ones are closed, with attempt
 * numbers from 0 again: those get an agent of their own, whose incarnation fences the old one,
 * rather than one agent that cannot tell two generations of subtasks apart.
 */
final class JobAgent {
    private static final Logger LOG = LoggerFactory.getLogger(JobAgent.class);
    private static final String KEY = JobAgent.class.getName();
    private static final long VERDICT_MS = 2_000;

    private final Settings settings;
    private final byte[] config;
    private final ClassLoader loader;
    private final Map<String, GateCoordinator> gates = new ConcurrentHashMap<>();

    /** One per user of this agent; changed only inside the store's atomic compute. */
    private final List<OperatorCoordinator.Context> contexts = new CopyOnWriteArrayList<>();

    private final ScheduledExecutorService clock;

    // guarded by this
    private final List<byte[]> announcements = new ArrayList<>();
    private MemberAgent open;
    private Thread runner;
    private boolean broken;

    /** Done once it is known whether this job may speak for its member. */
    private final CompletableFuture<Void> verdict = new CompletableFuture<>();

    // touched by the runner only
    private CompletableFuture<?> checkpoint = CompletableFuture.completedFuture(null);

    private JobAgent(Settings settings, byte[] config, ClassLoader loader) {
        this.settings = settings;
        this.config = config;
        this.loader = loader;
        clock =
                Executors.newSingleThreadScheduledExecutor(
                        work -> Threads.daemon(work, "tidegate-agent-clock", loader));
    }

    /**
     * Opens the job's agent, or joins it. Each call that returns needs one {@link #release}.
     *
     * @param gates all gates of the job
     */
    static JobAgent acquire(
            OperatorCoordinator.Context context, Settings settings, List<String> gates) {
        return (JobAgent)
                context.getCoordinatorStore()
                        .compute(
                                KEY,
                                (key, present) -> {
                                    if (present == null) {
                                        return create(context, settings, gates);
                                    }
                                    ((JobAgent) present).contexts.add(context);
                                    return present;
                                });
    }

    private static JobAgent create(
            OperatorCoordinator.Context context, Settings settings, List<String> gates) {
        // Context#getJobID is in 2.x only; the metric variable is in both
        String job = context.metricGroup().getAllVariables().get("<job_id>");
        JobAgent agent =
                new JobAgent(
                        settings,
                        settings.agentConfig(String.valueOf(job), gates),
                        context.getUserCodeClassloader());
        // first the context, then the thread: a failure of the agent must find a job to fail
        agent.contexts.add(context);
        try {
            agent.open();
            return agent;
        } catch (Throwable failure) {
            agent.clock.shutdownNow();
            throw failure;
        }
    }

    /** Closes the agent with its last user, and returns after its threads have ended. */
    void release(OperatorCoordinator.Context context) throws InterruptedException {
        Object left =
                context.getCoordinatorStore()
                        .compute(
                                KEY,
                                (key, present) -> {
                                    contexts.remove(context);
                                    return contexts.isEmpty() ? null : present;
                                });
        if (left == null) {
            clock.shutdownNow();
            close();
            clock.awaitTermination(5, TimeUnit.SECONDS);
        }
    }

    /**
     * Waits, not for long, until it is known whether this job may speak for its member. Flink
     * deploys no task before a coordinator's start returns, and a sink that is opened in the name
     * of a member that is alive aborts that one's transactions. A store that does not answer in
     * time does not hold the job up.
     */
    void awaitVerdict() throws InterruptedException, ExecutionException {
        try {
            verdict.get(VERDICT_MS, TimeUnit.MILLISECONDS);
        } catch (TimeoutException e) {
            LOG.warn("the store has not told within {} ms whose slot it is; going on", VERDICT_MS);
        }
    }

    /** Orders for the gate go to this coordinator. */
    void serve(String gate, GateCoordinator coordinator) {
        gates.put(gate, coordinator);
    }

    /** Runs something later, in a thread of the agent's. */
    void later(long delayMs, Runnable work) {
        if (!clock.isShutdown()) {
            clock.schedule(work, delayMs, TimeUnit.MILLISECONDS);
        }
    }

    /** Tells the agent something that it is told again after it had to be opened anew. */
    synchronized void announce(byte[] event) {
        announcements.add(event);
        tell(event);
    }

    /** Tells the agent something; never blocks. A closed or broken agent is told nothing. */
    synchronized void tell(byte[] event) {
        if (open != null && !broken) {
            open.tell(event);
        }
    }

    /**
     * After a global failover: opens the agent anew when it was its failure that caused it. It then
     * claims its slot as a new incarnation.
     */
    synchronized void recover() throws InterruptedException {
        if (broken) {
            close();
            open();
            announcements.forEach(this::tell);
        }
    }

    private synchronized void open() {
        MemberAgent opened = Bridge.agent(settings, config);
        open = opened;
        broken = false;
        runner = Threads.daemon(() -> run(opened), "tidegate-agent", loader);
        runner.start();
    }

    private void close() throws InterruptedException {
        MemberAgent closing;
        Thread running;
        synchronized (this) {
            closing = open;
            running = runner;
            open = null;
        }
        if (closing != null) {
            closing.end();
            running.join();
            closing.close();
        }
    }

    // ---------------------------------------------------------------- the runner

    private void run(MemberAgent opened) {
        try {
            for (byte[] next = opened.next(); next != null; next = opened.next()) {
                carryOut(Json.parse(next));
            }
        } catch (Throwable failure) {
            synchronized (this) {
                broken = true;
            }
            fail(new TidegateException("AgentFailed: the agent of this job has failed", failure));
        }
    }

    /** A job that has ended needs no orders, though its agent's last round may find some. */
    private synchronized boolean isOpen() {
        return open != null;
    }

    private void carryOut(JsonNode instruction) {
        String type = instruction.path("type").asText();
        String message = instruction.path("message").asText();
        switch (type) {
            case "order":
                if (isOpen()) {
                    order(instruction);
                }
                break;
            case "checkpoint":
                if (isOpen()) {
                    triggerCheckpoint();
                }
                break;
            case "log":
                log(instruction.path("level").asText(), message);
                break;
            case "claimed":
                verdict.complete(null);
                break;
            case "fail_job":
                // a restart would only open the sink again
                fail(new SuppressRestartsException(new TidegateException(message)));
                break;
            default:
                throw new TidegateException("BridgeMessage: unknown instruction '" + type + "'");
        }
    }

    private void order(JsonNode instruction) {
        GateCoordinator gate = gates.get(instruction.path("gate").asText());
        if (gate != null) {
            JsonNode order = instruction.path("order");
            gate.order(
                    instruction.path("subtask").asInt(),
                    instruction.path("attempt").asInt(),
                    new OrderEvent(order.path("serial").asLong(), Json.bytes(order)));
        }
    }

    /**
     * Allowed from any thread: the checkpoint coordinator moves the request into its own. A request
     * that is not periodic ignores the minimum pause and is queued while another checkpoint runs,
     * so one at a time is enough. One that fails to start fails the future, never the job.
     */
    private void triggerCheckpoint() {
        if (!checkpoint.isDone()) {
            return;
        }
        CheckpointCoordinator coordinator =
                contexts.stream()
                        .findFirst()
                        .map(OperatorCoordinator.Context::getCheckpointCoordinator)
                        .orElse(null);
        if (coordinator == null) {
            LOG.warn("checkpointing is disabled: the agent cannot ask for a checkpoint");
            return;
        }
        try {
            checkpoint = coordinator.triggerCheckpoint(false);
            checkpoint.whenComplete(
                    (done, failure) -> {
                        if (failure != null) {
                            LOG.info("a checkpoint for the cutover failed: {}", failure.toString());
                        }
                    });
        } catch (RuntimeException e) {
            LOG.info("a checkpoint for the cutover cannot be triggered: {}", e.toString());
        }
    }

    private static void log(String level, String message) {
        switch (level) {
            case "error":
                LOG.error(message);
                break;
            case "warn":
                LOG.warn(message);
                break;
            default:
                LOG.info(message);
        }
    }

    private void fail(RuntimeException failure) {
        LOG.error("the agent fails the job", failure);
        contexts.stream().findFirst().ifPresent(context -> context.failJob(failure));
        verdict.complete(null);
    }
}
