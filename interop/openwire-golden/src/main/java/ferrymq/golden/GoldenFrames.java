package ferrymq.golden;

import java.io.DataOutputStream;
import java.nio.file.Files;
import java.nio.file.Path;
import java.util.ArrayList;
import java.util.Arrays;
import java.util.HexFormat;
import java.util.LinkedHashMap;
import java.util.List;
import java.util.Map;
import org.apache.activemq.command.*;
import org.apache.activemq.openwire.OpenWireFormat;
import org.apache.activemq.openwire.OpenWireFormatFactory;
import org.apache.activemq.util.ByteArrayOutputStream;
import org.apache.activemq.util.ByteSequence;
import org.apache.activemq.util.MarshallingSupport;

/**
 * Writes frames with the Java client's marshallers, and what the Java client reads out of them.
 *
 * <p>frames.txt and values.txt hold each frame and each description once, one a line; runs.txt says what was written
 * after what on one connection. A second client adds its runs to the files of the first.
 */
public final class GoldenFrames {
    private final Map<String, Integer> frames;
    private final Map<String, Integer> values;
    private final List<String> runs;
    private final Path directory;
    private final String client;

    private GoldenFrames(Path directory, String client) throws Exception {
        this.directory = directory;
        this.client = client;
        this.frames = load("frames.txt");
        this.values = load("values.txt");
        this.runs = new ArrayList<>(load("runs.txt").keySet());
        // The same client again replaces its own runs.
        runs.removeIf(line -> line.startsWith("client=" + client + " "));
    }

    public static void main(String[] arguments) throws Exception {
        var golden = new GoldenFrames(Path.of(arguments[0]), arguments[1]);
        golden.wireFormatInfo();
        for (int version = 1; version <= 12; version++) {
            for (boolean tight : new boolean[] {true, false}) {
                for (boolean cache : new boolean[] {true, false}) {
                    golden.everyCommand(version, tight, cache, true);
                    if (version == 1 || version == 12) {
                        golden.everyCommand(version, tight, cache, false);
                    }
                }
            }
        }
        golden.evictions(true);
        golden.evictions(false);
        golden.primitives();
        golden.save();
    }

    /** What each client says first. */
    private void wireFormatInfo() throws Exception {
        var format = (OpenWireFormat) new OpenWireFormatFactory().createWireFormat();
        var info = format.getPreferedWireFormatInfo();
        info.beforeMarshall(format);
        var run = new StringBuilder("client=" + client + " version=1 tight=false cache=0 prefix=true stack=false:");
        append(run, new OpenWireFormat(1), new OpenWireFormat(1), new Describer(1, false), info, true);
        runs.add(run.toString());
    }

    private void everyCommand(int version, boolean tight, boolean cache, boolean prefix) throws Exception {
        boolean stack = version % 2 == 0;
        var writer = format(version, tight, cache, prefix, stack, 1024);
        var reader = format(version, tight, cache, prefix, stack, 1024);
        var describer = new Describer(version, stack);
        var run = new StringBuilder(head(version, tight, cache ? 1024 : 0, prefix, stack));
        int start = 0;
        for (String name : Tables.ALL.keySet()) {
            start += 7;
            for (var variant : Filler.Variant.values()) {
                boolean required = Tables.ALL.get(name).stream().anyMatch(Tables.Field::required);
                if (variant == Filler.Variant.EMPTY && required) {
                    continue;
                }
                // With the cache on, the second time is shorter.
                for (int time = 0; time < (cache && variant == Filler.Variant.FULL ? 2 : 1); time++) {
                    var structure = new Filler(variant, start).fill(Filler.create(name));
                    append(run, writer, reader, describer, structure, prefix);
                }
            }
        }
        runs.add(run.toString());
    }

    /** More objects than a small cache holds. */
    private void evictions(boolean tight) throws Exception {
        var writer = format(12, tight, true, true, true, 128);
        var reader = format(12, tight, true, true, true, 128);
        var describer = new Describer(12, true);
        var run = new StringBuilder(head(12, tight, 128, true, true));
        for (int i = 0; i < 300; i++) {
            var info = new ProducerInfo(new ProducerId(new SessionId(new ConnectionId("ID:c"), i % 40), i / 3 % 50));
            info.setDestination(i % 5 == 0 ? null : new ActiveMQQueue("q" + i % 37));
            append(run, writer, reader, describer, info, true);
        }
        runs.add(run.toString());
    }

    private String head(int version, boolean tight, int cache, boolean prefix, boolean stack) {
        return "client=" + client + " version=" + version + " tight=" + tight + " cache=" + cache + " prefix=" + prefix
            + " stack=" + stack + ":";
    }

    private static OpenWireFormat format(
        int version, boolean tight, boolean cache, boolean prefix, boolean stack, int cacheSize) throws Exception {
        var info = new WireFormatInfo();
        info.setVersion(version);
        info.setTightEncodingEnabled(tight);
        info.setCacheEnabled(cache);
        info.setCacheSize(cacheSize);
        info.setSizePrefixDisabled(!prefix);
        info.setStackTraceEnabled(stack);
        info.setTcpNoDelayEnabled(true);
        info.setMaxFrameSize(1 << 20);
        var format = new OpenWireFormat(1);
        format.setPreferedWireFormatInfo(info);
        format.renegotiateWireFormat(info);
        return format;
    }

    /** Writes a structure and lets Java read it back. Structures that the version does not have are left out. */
    private void append(StringBuilder run, OpenWireFormat writer, OpenWireFormat reader, Describer describer,
            DataStructure structure, boolean prefix) throws Exception {
        ByteSequence sequence;
        try {
            sequence = writer.marshal(structure);
        } catch (java.io.IOException e) {
            if (!String.valueOf(e.getMessage()).startsWith("Unknown data type")) {
                throw e;
            }
            return;
        }
        byte[] frame = Arrays.copyOfRange(sequence.data, sequence.offset, sequence.offset + sequence.length);
        Object read = reader.unmarshal(new ByteSequence(frame));
        String hex = HexFormat.of().formatHex(frame, prefix ? 4 : 0, frame.length);
        run.append(' ').append(number(frames, hex)).append('=').append(number(values, describer.command(read)));
    }

    /** A marshalled map with a value of every type. */
    private void primitives() throws Exception {
        var map = new LinkedHashMap<String, Object>();
        map.put("null", null);
        map.put("bool", true);
        map.put("byte", (byte) -7);
        map.put("char", 'é');
        map.put("short", (short) -300);
        map.put("int", 1 << 30);
        map.put("long", Long.MIN_VALUE);
        map.put("float", 1.5f);
        map.put("double", -0.25);
        map.put("text", "größe \uD83D\uDE00 \0");
        map.put("octets", new byte[] {0, 1, -1});
        map.put("big", "x".repeat(8191));
        map.put("list", List.of(1, "two", List.of((byte) 3)));
        map.put("map", new LinkedHashMap<>(Map.of("inner", 4L)));
        var out = new ByteArrayOutputStream();
        MarshallingSupport.marshalPrimitiveMap(map, new DataOutputStream(out));
        Files.writeString(directory.resolve("map.txt"), HexFormat.of().formatHex(out.toByteArray()) + "\n");
    }

    private static int number(Map<String, Integer> lines, String line) {
        return lines.computeIfAbsent(line, absent -> lines.size());
    }

    private Map<String, Integer> load(String name) throws Exception {
        var lines = new LinkedHashMap<String, Integer>();
        Path path = directory.resolve(name);
        if (Files.exists(path)) {
            Files.readAllLines(path).forEach(line -> lines.putIfAbsent(line, lines.size()));
        }
        return lines;
    }

    private void save() throws Exception {
        Files.createDirectories(directory);
        Files.write(directory.resolve("frames.txt"), frames.keySet());
        Files.write(directory.resolve("values.txt"), values.keySet());
        Files.write(directory.resolve("runs.txt"), runs);
    }
}
