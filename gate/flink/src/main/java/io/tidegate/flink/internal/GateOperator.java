package io.tidegate.flink.internal;

import io.tidegate.flink.TidegateException;
import java.io.IOException;
import java.io.UncheckedIOException;
import java.time.Instant;
import java.util.ArrayList;
import java.util.List;
import org.apache.flink.api.common.eventtime.SerializableTimestampAssigner;
import org.apache.flink.api.common.operators.MailboxExecutor;
import org.apache.flink.api.common.state.ListState;
import org.apache.flink.api.common.state.ListStateDescriptor;
import org.apache.flink.api.common.state.OperatorStateStore;
import org.apache.flink.api.common.typeutils.base.array.BytePrimitiveArraySerializer;
import org.apache.flink.configuration.RpcOptions;
import org.apache.flink.runtime.operators.coordination.OperatorEvent;
import org.apache.flink.runtime.operators.coordination.OperatorEventHandler;
import org.apache.flink.runtime.state.StateInitializationContext;
import org.apache.flink.runtime.state.StateSnapshotContext;
import org.apache.flink.streaming.api.operators.AbstractStreamOperator;
import org.apache.flink.streaming.api.operators.OneInputStreamOperator;
import org.apache.flink.streaming.api.operators.StreamOperatorParameters;
import org.apache.flink.streaming.api.watermark.Watermark;
import org.apache.flink.streaming.runtime.streamrecord.StreamRecord;
import org.apache.flink.streaming.runtime.watermarkstatus.WatermarkStatus;

/**
 * One subtask of a gate: emits, holds or discards each record.
 *
 * <p>What to do is decided by the subtask's {@link Machine}. It gives out a lease, an interval of
 * event time in which every record has the same disposition; inside it a record costs two
 * comparisons and two counters, everything else is told to the machine one by one. All fields are
 * touched by the task's thread only.
 *
 * <p>A gate holds everything before its first order, keeps its order while the coordinator or the
 * store is away, and forwards no watermark that could pass a held record.
 */
abstract class GateOperator<T, OUT> extends AbstractStreamOperator<OUT>
        implements OneInputStreamOperator<T, OUT>, OperatorEventHandler {
    private static final long serialVersionUID = 1L;

    /** How many reports pass between two readings of the counters for metrics. */
    private static final int REPORTS_PER_COUNTERS = 5;

    private final String gate;
    private final Settings settings;
    private final SerializableTimestampAssigner<T> timestamps;
    private final CoordinatorLink link;
    private final MailboxExecutor mailbox;
    private final long[] out = new long[Native.OUT_LENGTH];

    // the lease; empty until the first order
    private long lo = Long.MAX_VALUE;
    private long hi = Long.MIN_VALUE;
    private boolean emitting;
    private int disposition;

    // what passed inside the lease since the machine was last told
    private long emitted;
    private long emittedHigh = Native.NONE;
    private long discarded;
    private long discardedHigh = Native.NONE;

    private boolean timeSeen;
    private Machine machine;
    private long serial = Native.NONE;
    private long reports;
    private HeldRecords<T> held;
    private OrderWait wait;
    private GateMetrics gateMetrics;
    private ListState<byte[]> headerState;
    private ListState<byte[]> heldState;

    GateOperator(
            StreamOperatorParameters<OUT> parameters,
            GateShape<T> shape,
            Settings settings,
            CoordinatorLink link) {
        // 1.20 has no constructor that takes the parameters, 2.x has; this is what it does
        setup(parameters.getContainingTask(), parameters.getStreamConfig(), parameters.getOutput());
        this.processingTimeService = parameters.getProcessingTimeService();
        this.mailbox = parameters.getMailboxExecutor();
        this.gate = shape.name;
        this.settings = settings;
        this.timestamps = shape.timestamps;
        this.link = link;
    }

    // ---------------------------------------------------------------- life

    @Override
    public void initializeState(StateInitializationContext context) throws Exception {
        super.initializeState(context);
        int subtask = getRuntimeContext().getTaskInfo().getIndexOfThisSubtask();
        int parallelism = getRuntimeContext().getTaskInfo().getNumberOfParallelSubtasks();
        machine = Bridge.machine(settings, settings.subtaskConfig(gate, subtask, parallelism));
        held =
                new HeldRecords<>(
                        getOperatorConfig().<T>getTypeSerializerIn(0, getUserCodeClassloader()));
        wait = new OrderWait(mailbox, link, this::request, this::apply);
        gateMetrics = new GateMetrics(getMetricGroup());

        OperatorStateStore store = context.getOperatorStateStore();
        // union: on rescale each new subtask takes the maximum or minimum over all old ones
        headerState = store.getUnionListState(bytes("tidegate-header"));
        heldState = store.getListState(bytes("tidegate-held"));
        List<byte[]> headers = new ArrayList<>();
        if (context.isRestored()) {
            headerState.get().forEach(headers::add);
            held.restore(heldState.get());
        }
        machine.restore(headers.toArray(new byte[0][]), held.eventTimes(), held.sizes(), out);
        takeLease();
        if (out[3] == 1) {
            held.inherit();
        }
    }

    @Override
    public void open() throws Exception {
        super.open();
        report(getProcessingTimeService().getCurrentProcessingTime());
    }

    @Override
    public void snapshotState(StateSnapshotContext context) throws Exception {
        super.snapshotState(context);
        account();
        headerState.update(List.of(machine.snapshot(context.getCheckpointId())));
        heldState.update(held.snapshot());
        sendStatus();
    }

    /** Waits while something is held: at the end of input it would be lost. */
    @Override
    public void finish() throws Exception {
        account();
        wait.until(() -> machine.finish());
        sendStatus();
        super.finish();
    }

    /** May be called twice, and after a failed initialization. */
    @Override
    public void close() throws Exception {
        try {
            if (wait != null) {
                wait.close();
            }
        } finally {
            if (machine != null) {
                machine.close();
            }
            super.close();
        }
    }

    // ---------------------------------------------------------------- records and watermarks

    @Override
    public void processElement(StreamRecord<T> record) throws Exception {
        long ts = eventTime(record);
        if (ts >= lo && ts < hi) {
            if (emitting) {
                emitted++;
                if (ts > emittedHigh) {
                    emittedHigh = ts;
                }
                emit(record, ts, Native.EMIT);
            } else {
                discarded++;
                if (ts > discardedHigh) {
                    discardedHigh = ts;
                }
                withhold(record, ts, disposition);
            }
            return;
        }
        admit(record, ts);
    }

    /**
     * A record that leaves the gate. The cost of this and of {@link #withhold} is that of a field's
     * test when nothing is done.
     *
     * @param disposition {@link Native#EMIT}, {@code LATE_EMIT} or {@code LATE_SIDE_OUTPUT}
     */
    abstract void emit(StreamRecord<T> record, long eventTime, int disposition);

    /** Whether held records that are not emitted must be read again for {@link #withhold}. */
    abstract boolean wantsWithheld();

    /**
     * A record that a sink behind the gate does not get. Not told: records that another member
     * held, in the snapshot that this one was started from; they are none of its own.
     *
     * @param disposition {@link Native#DISCARD}, {@code LATE_DROP} or {@code LATE_DISCARD}
     */
    abstract void withhold(StreamRecord<T> record, long eventTime, int disposition);

    private long eventTime(StreamRecord<T> record) {
        long own = record.hasTimestamp() ? record.getTimestamp() : Native.NONE;
        return timestamps == null ? own : timestamps.extractTimestamp(record.getValue(), own);
    }

    private void admit(StreamRecord<T> record, long ts) throws Exception {
        checkTimed(ts);
        account();
        int decided = machine.admit(ts, 0, out);
        takeLease();
        if (decided != Native.HOLD) {
            dispose(record, out[3], decided);
            return;
        }
        machine.heldBytes(held.add(record, out[3]));
        if (machine.isFull()) {
            wait.until(() -> !machine.isFull());
        }
    }

    private void dispose(StreamRecord<T> record, long eventTime, int decided) {
        switch (decided) {
            case Native.EMIT:
            case Native.LATE_EMIT:
                gateMetrics.emitted(1);
                emit(record, eventTime, decided);
                break;
            case Native.LATE_SIDE_OUTPUT:
                emit(record, eventTime, decided);
                break;
            default:
                gateMetrics.discarded(1);
                withhold(record, eventTime, decided);
        }
    }

    /** A stream without any event time would be handed over by accident: refuse it at once. */
    private void checkTimed(long ts) {
        if (!timeSeen) {
            if (ts == Native.NONE && timestamps == null) {
                throw new TidegateException(
                        String.format(
                                "NoEventTime: the first record at gate '%s' has no timestamp and no"
                                        + " watermark has come; assign timestamps and watermarks"
                                        + " before the gate, or give it a timestamp extractor",
                                gate));
            }
            timeSeen = true;
        }
    }

    @Override
    public void processWatermark(Watermark mark) throws Exception {
        timeSeen = true;
        account();
        long forward = machine.watermark(mark.getTimestamp(), out);
        takeLease();
        if (forward != Native.NONE) {
            output.emitWatermark(new Watermark(forward));
        }
    }

    @Override
    public void processWatermarkStatus(WatermarkStatus status) throws Exception {
        account();
        if (machine.idle(status.isIdle())) {
            output.emitWatermarkStatus(status);
        }
    }

    // ---------------------------------------------------------------- orders and reports

    @Override
    public void handleOperatorEvent(OperatorEvent event) {
        apply((OrderEvent) event);
    }

    private void apply(OrderEvent order) {
        if (order.serial <= serial) {
            return; // it came as the answer to a request before, or a newer one did
        }
        account();
        byte[] dispositions = machine.order(order.order, out);
        serial = order.serial;
        takeLease();
        long forward = out[3];
        boolean idle = out[4] == 1;
        try {
            gateMetrics.discarded(held.release(dispositions, wantsWithheld(), this::dispose));
        } catch (IOException e) {
            throw new UncheckedIOException(e);
        }
        if (forward != Native.NONE) {
            output.emitWatermark(new Watermark(forward));
        }
        if (idle) {
            output.emitWatermarkStatus(WatermarkStatus.IDLE);
        }
        sendStatus();
    }

    /** On a processing-time timer, so also when the input is idle. */
    private void report(long now) {
        sendStatus();
        if (reports++ % REPORTS_PER_COUNTERS == 0) {
            updateMetrics();
        }
        getProcessingTimeService().registerTimer(now + settings.reportIntervalMs(), this::report);
    }

    private void sendStatus() {
        account();
        link.send(new StatusEvent(machine.status()));
    }

    private void updateMetrics() {
        account();
        if (gateMetrics.update(machine.counters(), held.bytes())) {
            LOG.warn(
                    "records of the far future count with the watermark: gate={} subtask={}"
                            + " records={} last={}",
                    gate,
                    getRuntimeContext().getTaskInfo().getIndexOfThisSubtask(),
                    gateMetrics.future(),
                    Instant.ofEpochMilli(gateMetrics.futureTime()));
        }
    }

    private OrderRequest request(long number) {
        // in finish() the timers are quiet, so that a wait tells how it stands with each request
        sendStatus();
        updateMetrics();
        long rpcTimeoutMs =
                getContainingTask()
                        .getEnvironment()
                        .getTaskManagerInfo()
                        .getConfiguration()
                        .get(RpcOptions.ASK_TIMEOUT_DURATION)
                        .toMillis();
        return new OrderRequest(
                getRuntimeContext().getTaskInfo().getIndexOfThisSubtask(),
                getRuntimeContext().getTaskInfo().getAttemptNumber(),
                serial,
                Math.max(1, rpcTimeoutMs / 3));
    }

    private void takeLease() {
        // NONE stands for "no time": such a record is never inside a lease
        lo = Math.max(out[0], Native.NONE + 1);
        hi = out[1];
        disposition = (int) out[2];
        emitting = disposition == Native.EMIT;
    }

    private void account() {
        if (emitted != 0 || discarded != 0) {
            machine.account(emitted, emittedHigh, discarded, discardedHigh);
            gateMetrics.emitted(emitted);
            gateMetrics.discarded(discarded);
            emitted = 0;
            emittedHigh = Native.NONE;
            discarded = 0;
            discardedHigh = Native.NONE;
        }
    }

    private static ListStateDescriptor<byte[]> bytes(String name) {
        return new ListStateDescriptor<>(name, BytePrimitiveArraySerializer.INSTANCE);
    }
}
