package io.tidegate.flink.internal;

import java.io.ByteArrayOutputStream;
import java.nio.charset.StandardCharsets;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.ObjectNode;

/** What coordinators tell the agent; see the native side for the meaning of each. */
final class AgentEvent {

    static byte[] gateOpened(String gate, int parallelism, Evidence evidence) {
        ObjectNode event = of("gate_opened", gate).put("parallelism", parallelism);
        return Json.bytes(event.put("evidence", evidence.toString()));
    }

    static byte[] committersOpened(String gate, int parallelism) {
        return Json.bytes(of("committers_opened", gate).put("parallelism", parallelism));
    }

    static byte[] subtaskReady(String gate, int subtask, int attempt, int parallelism) {
        ObjectNode event = of("subtask_ready", gate).put("subtask", subtask);
        return Json.bytes(event.put("attempt", attempt).put("parallelism", parallelism));
    }

    static byte[] subtaskGone(String gate, int subtask) {
        return Json.bytes(of("subtask_gone", gate).put("subtask", subtask));
    }

    /**
     * @param status JSON, passed on unread: it comes some ten times a second from each subtask
     */
    static byte[] subtaskStatus(String gate, int subtask, int attempt, byte[] status) {
        byte[] head =
                Json.bytes(
                        of("subtask_status", gate).put("subtask", subtask).put("attempt", attempt));
        ByteArrayOutputStream event = new ByteArrayOutputStream(head.length + status.length + 16);
        event.write(head, 0, head.length - 1);
        event.writeBytes(",\"status\":".getBytes(StandardCharsets.UTF_8));
        event.writeBytes(status);
        event.write('}');
        return event.toByteArray();
    }

    static byte[] committed(String gate, int subtask, long checkpoint) {
        ObjectNode event = of("committed", gate).put("subtask", subtask);
        return Json.bytes(event.put("checkpoint", checkpoint));
    }

    static byte[] checkpointCompleted(String gate, long checkpoint) {
        return Json.bytes(of("checkpoint_completed", gate).put("checkpoint", checkpoint));
    }

    static byte[] reset(String gate) {
        return Json.bytes(of("reset", gate));
    }

    private static ObjectNode of(String type, String gate) {
        return Json.object().put("type", type).put("gate", gate);
    }

    private AgentEvent() {}
}
