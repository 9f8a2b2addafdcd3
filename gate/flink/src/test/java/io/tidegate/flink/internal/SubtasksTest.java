package io.tidegate.flink.internal;

import static org.junit.jupiter.api.Assertions.assertEquals;
import static org.junit.jupiter.api.Assertions.assertFalse;
import static org.junit.jupiter.api.Assertions.assertNull;
import static org.junit.jupiter.api.Assertions.assertTrue;

import java.util.List;
import java.util.concurrent.CompletableFuture;
import org.apache.flink.runtime.operators.coordination.CoordinationResponse;
import org.junit.jupiter.api.Test;

class SubtasksTest {
    private final Subtasks subtasks = new Subtasks();
    private final TestingGateway gateway = new TestingGateway(0);

    @Test
    void anOrderGoesToTheAttemptThatItIsFor() {
        subtasks.ready(0, 1, gateway);
        subtasks.order(0, 0, TestingOrders.emitAll(1));
        subtasks.order(1, 1, TestingOrders.emitAll(2));
        assertEquals(List.of(), gateway.serials());
        subtasks.order(0, 1, TestingOrders.emitAll(3));
        assertEquals(List.of(3L), gateway.serials());
    }

    @Test
    void aRequestIsAnsweredByTheNextOrder() {
        subtasks.ready(0, 0, gateway);
        CompletableFuture<CoordinationResponse> answer =
                subtasks.ask(new OrderRequest(0, 0, Native.NONE, 1));
        assertFalse(answer.isDone());
        subtasks.order(0, 0, TestingOrders.emitAll(5));
        assertEquals(5, OrderAnswer.read(answer.join()).serial);
        assertEquals(List.of(5L), gateway.serials(), "it also goes the usual way");
    }

    @Test
    void aRequestIsAnsweredAtOnceByAnOrderThatIsNotKnownYet() {
        subtasks.ready(0, 0, gateway);
        subtasks.order(0, 0, TestingOrders.emitAll(5));
        assertTrue(subtasks.ask(new OrderRequest(0, 0, 4, 1)).isDone());
        assertFalse(subtasks.ask(new OrderRequest(0, 0, 5, 1)).isDone());
    }

    /** P12: an order for an earlier attempt is not the restarted subtask's. */
    @Test
    void aRestartedSubtaskInheritsNoOrder() {
        subtasks.ready(0, 0, gateway);
        subtasks.order(0, 0, TestingOrders.emitAll(5));
        assertTrue(subtasks.gone(0));
        assertFalse(subtasks.gone(0));
        subtasks.ready(0, 1, gateway);
        assertFalse(subtasks.ask(new OrderRequest(0, 1, Native.NONE, 1)).isDone());
        assertFalse(subtasks.ask(new OrderRequest(0, 0, Native.NONE, 1)).isDone());
    }

    @Test
    void aGatewayThatIsNotReadyOrLosesAnEventHarmsNobody() {
        subtasks.ready(0, 0, gateway);
        gateway.refusing = true;
        subtasks.order(0, 0, TestingOrders.emitAll(1));
        gateway.refusing = false;
        gateway.losing = true;
        subtasks.order(0, 0, TestingOrders.emitAll(2));
        assertEquals(List.of(2L), gateway.serials());
    }

    @Test
    void anAnswerTravelsInAClassOfFlinks() {
        CoordinationResponse some = OrderAnswer.of(TestingOrders.emitAll(9));
        assertTrue(some.getClass().getName().startsWith("org.apache.flink."));
        OrderEvent read = OrderAnswer.read(some);
        assertEquals(9, read.serial);
        assertEquals(new String(TestingOrders.emitAll(9).order), new String(read.order));
        assertNull(OrderAnswer.read(OrderAnswer.none()));
    }
}
