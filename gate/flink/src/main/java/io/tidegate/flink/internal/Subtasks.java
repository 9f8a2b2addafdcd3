package io.tidegate.flink.internal;

import java.util.HashMap;
import java.util.Map;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.runtime.operators.coordination.CoordinationResponse;
import org.apache.flink.runtime.operators.coordination.OperatorCoordinator.SubtaskGateway;
import org.slf4j.Logger;
import org.slf4j.LoggerFactory;

/**
 * The running subtasks of a gate, the newest order of each, and who of them waits for the next one.
 * From any thread; nothing blocks, and no foreign code runs under the lock.
 */
final class Subtasks {
    private static final Logger LOG = LoggerFactory.getLogger(Subtasks.class);

    private static final class Subtask {
        final int attempt;
        final SubtaskGateway gateway;
        OrderEvent newest;
        CompletableFuture<CoordinationResponse> waiting;

        Subtask(int attempt, SubtaskGateway gateway) {
            this.attempt = attempt;
            this.gateway = gateway;
        }
    }

    private final Map<Integer, Subtask> ready = new HashMap<>();

    synchronized void ready(int subtask, int attempt, SubtaskGateway gateway) {
        ready.put(subtask, new Subtask(attempt, gateway));
    }

    /**
     * @return whether the subtask was there
     */
    synchronized boolean gone(int subtask) {
        return ready.remove(subtask) != null;
    }

    synchronized void clear() {
        ready.clear();
    }

    /** Sends an order to an attempt; one that is not there any more needs none. */
    void order(int subtask, int attempt, OrderEvent order) {
        SubtaskGateway gateway;
        CompletableFuture<CoordinationResponse> waiting;
        synchronized (this) {
            Subtask it = ready.get(subtask);
            if (it == null || it.attempt != attempt) {
                return;
            }
            it.newest = order;
            gateway = it.gateway;
            waiting = it.waiting;
            it.waiting = null;
        }
        if (waiting != null) {
            waiting.complete(OrderAnswer.of(order));
        }
        send(gateway, order);
    }

    private static void send(SubtaskGateway gateway, OrderEvent order) {
        try {
            gateway.sendEvent(order)
                    .whenComplete(
                            (done, failure) -> {
                                if (failure != null) {
                                    // Flink restarts a running task that missed an event
                                    LOG.info("{} was not delivered: {}", order, failure.toString());
                                }
                            });
        } catch (RuntimeException e) {
            // the task has ended in between
            LOG.info("{} was not sent: {}", order, e.toString());
        }
    }

    /**
     * Answers a request as soon as there is a newer order than the subtask has.
     *
     * @return a future that the caller completes with {@link OrderAnswer#none()} when the subtask's
     *     patience ends
     */
    synchronized CompletableFuture<CoordinationResponse> ask(OrderRequest request) {
        CompletableFuture<CoordinationResponse> answer = new CompletableFuture<>();
        Subtask it = ready.get(request.subtask);
        if (it != null && it.attempt == request.attempt) {
            if (it.newest != null && it.newest.serial > request.serial) {
                answer.complete(OrderAnswer.of(it.newest));
            } else {
                it.waiting = answer;
            }
        }
        return answer;
    }
}
