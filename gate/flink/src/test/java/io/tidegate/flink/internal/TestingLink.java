package io.tidegate.flink.internal;

import java.util.ArrayList;
import java.util.List;
import java.util.concurrent.BlockingQueue;
import java.util.concurrent.CompletableFuture;
import java.util.concurrent.LinkedBlockingQueue;
import java.util.concurrent.TimeUnit;
import org.apache.flink.runtime.operators.coordination.CoordinationResponse;

/** A coordinator that keeps what it is told and answers when the test says so. */
final class TestingLink implements CoordinatorLink {

    static final class Asked {
        final OrderRequest request;
        final CompletableFuture<CoordinationResponse> answer = new CompletableFuture<>();

        Asked(OrderRequest request) {
            this.request = request;
        }
    }

    final List<StatusEvent> statuses = new ArrayList<>();
    final BlockingQueue<Asked> asked = new LinkedBlockingQueue<>();

    @Override
    public void send(StatusEvent status) {
        statuses.add(status);
    }

    @Override
    public CompletableFuture<CoordinationResponse> ask(OrderRequest request) {
        Asked it = new Asked(request);
        asked.add(it);
        return it.answer;
    }

    /** The next request, within ten seconds. */
    Asked next() throws InterruptedException {
        Asked it = asked.poll(10, TimeUnit.SECONDS);
        if (it == null) {
            throw new AssertionError("nobody asked for an order");
        }
        return it;
    }
}
