package io.tidegate.flink;

import static org.junit.jupiter.api.Assertions.assertTrue;

import java.nio.file.Files;
import java.nio.file.Path;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.JsonNode;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.ObjectMapper;
import org.apache.flink.shaded.jackson2.com.fasterxml.jackson.databind.node.MissingNode;

/** What the jobs of {@link TestingJob} share, as a person sees it. */
final class TestingStore {
    private static final ObjectMapper JSON = new ObjectMapper();

    private final Path rollout;

    TestingStore(Path folder) {
        rollout = folder.resolve("store/numbers");
    }

    /**
     * Ready, with an order, and free of trouble: what it takes to be promoted. Before its order it
     * may be full.
     */
    void awaitStandby(String member) throws Exception {
        Eventually.becomes(member + "'s readiness", () -> report(member), TestingStore::isReady);
    }

    private static boolean isReady(JsonNode report) {
        JsonNode gate = report.path("gates").path("out");
        int subtasks = gate.path("parallelism").asInt();
        return subtasks > 0
                && gate.path("ready").asInt() == subtasks
                && report.path("epoch").asInt() == 1
                && report.path("trouble").isEmpty();
    }

    private JsonNode report(String member) throws Exception {
        Path report = rollout.resolve("reports/" + member + ".json");
        return Files.exists(report) ? JSON.readTree(report.toFile()) : MissingNode.getInstance();
    }

    /**
     * Asks for a cutover, and waits until it is taken up.
     *
     * @param at {@code now}, or a boundary
     */
    void promote(String member, String at) throws Exception {
        Files.writeString(rollout.resolve("request"), "promote: " + at + "\nto: " + member + "\n");
        String answered =
                Eventually.becomes(
                        "an answer to the request",
                        this::document,
                        text -> !text.contains("\"answered\": null"));
        assertTrue(answered.contains("\"refused\": null"), answered);
    }

    String document() throws Exception {
        return Files.readString(rollout.resolve("document.json"));
    }

    /** How far the cutover is: {@code proposed}, {@code committed}, or empty. */
    String cutover() throws Exception {
        return JSON.readTree(document()).path("cutover").path("state").asText();
    }

    void awaitCutover(String state) throws Exception {
        Eventually.becomes("the cutover's state " + state, this::cutover, state::equals);
    }

    /** The active member, and since when. */
    String active() throws Exception {
        JsonNode owners = JSON.readTree(document()).path("owners");
        JsonNode last = owners.path(owners.size() - 1);
        return last.path("member").asText() + " since " + last.path("since").asText();
    }

    /** Waits until all subtasks of a member have acknowledged what is proposed. */
    void awaitAcknowledged(String member) throws Exception {
        Eventually.becomes(
                member + "'s acknowledgement",
                () -> gate(member),
                gate ->
                        gate.path("replies").path("acknowledged").asInt()
                                == gate.path("parallelism").asInt());
    }

    /** What a member tells of its gate. */
    JsonNode gate(String member) throws Exception {
        return report(member).path("gates").path("out");
    }

    /** Waits until a member's gate tells that it holds as many records. */
    void awaitHeld(String member, long records) throws Exception {
        Eventually.becomes(
                records + " records held by " + member,
                () -> gate(member),
                gate -> gate.path("held").asLong() == records);
    }

    /** Waits until a member's gate tells that it has discarded as many records. */
    void awaitDiscarded(String member, long records) throws Exception {
        Eventually.becomes(
                records + " records discarded by " + member,
                () -> gate(member),
                gate -> gate.path("discarded").asLong() == records);
    }

    /** Waits until a member's gate has as many subtasks, and all of them are there. */
    void awaitParallelism(String member, int subtasks) throws Exception {
        Eventually.becomes(
                subtasks + " subtasks of " + member,
                () -> gate(member),
                gate ->
                        gate.path("parallelism").asInt() == subtasks
                                && gate.path("ready").asInt() == subtasks);
    }

    /** Waits until a member has looked at all that is in the store now, and done what is due. */
    void awaitRound(String member) throws Exception {
        // a round tells first and acts then: it is over when the next one tells
        for (int tells = 0; tells < 2; tells++) {
            long before = report(member).path("written_at_ms").asLong();
            Eventually.becomes(
                    member + "'s next round",
                    () -> report(member).path("written_at_ms").asLong(),
                    written -> written > before);
        }
    }
}
