// Writes a capture file with traffic for the load balancer: dotnet run MakeTraffic.cs -- FILE [PACKETS]
// The same packets every time: clients that open, use and close connections, a flood, blocked networks, echo requests, and things that are
// no good packets at all. Checksums are right.
using System.Buffers.Binary;
using System.Globalization;

if (args.Length is < 1 or > 2)
{
    Console.Error.WriteLine("usage: MakeTraffic FILE [PACKETS]");
    return 2;
}

int count = args.Length > 1 ? int.Parse(args[1], CultureInfo.InvariantCulture) : 5000;
var random = new Sequence(20240229);
byte[] web = [198, 51, 100, 1];
byte[] names = [198, 51, 100, 2];
byte[] broken = [198, 51, 100, 3];
const byte Fin = 1, Syn = 2, Ack = 16;

using FileStream file = File.Create(args[0]);
Write(file, 0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, 1u);
ulong microseconds = 1_700_000_000_000_000;
for (int i = 0; i < count; i++)
{
    microseconds += (ulong)random.Below(8000);
    byte[] packet = Next();
    Write(file, (uint)(microseconds / 1_000_000), (uint)(microseconds % 1_000_000), (uint)packet.Length, (uint)packet.Length);
    file.Write(packet);
}

return 0;

byte[] Next()
{
    byte[] client = [192, 0, 2, (byte)random.Below(24)];
    byte[] flooder = [192, 0, 2, 200];
    ushort source = (ushort)(40000 + random.Below(4));
    byte flags = random.Below(8) == 0 ? Fin : random.Below(4) == 0 ? Syn : Ack;
    return random.Below(100) switch
    {
        < 30 => Ethernet(0x0800, Ipv4(client, web, 6, Tcp(client, web, source, 80, flags))),
        < 45 => Ethernet(0x0800, Ipv4(client, web, 6, Tcp(client, web, source, 443, flags))),
        < 55 => Ethernet(0x0800, Ipv4(client, names, 17, Udp(client, names, source, 53, hasChecksum: random.Below(4) != 0))),
        < 65 => Ethernet(0x0800, Ipv4(flooder, web, 6, Tcp(flooder, web, (ushort)random.Below(65536), 80, Syn))),
        < 69 => Ethernet(0x0800, Ipv4([203, 0, 113, (byte)random.Below(256)], web, 6, Tcp(client, web, source, 80, Syn))),
        < 71 => Ethernet(0x0800, Ipv4([192, 0, 2, 66], names, 17, Udp(client, names, source, 53, hasChecksum: true))),
        < 75 => Ethernet(0x0800, Ipv4(client, web, 1, Icmp((byte)(random.Below(4) == 0 ? 13 : 8)))),
        < 78 => Ethernet(0x0800, Ipv4(client, broken, 6, Tcp(client, broken, source, 8080, Ack))),
        < 82 => Ethernet(0x8100, Vlan(7, 0x0800, Ipv4(client, web, 6, Tcp(client, web, source, (ushort)(random.Below(2) == 0 ? 80 : 443), flags)))),
        < 84 => Ethernet(0x88a8, Vlan(9, 0x8100, Vlan(7, 0x0800, Ipv4(client, web, 6, Tcp(client, web, source, 80, flags))))),
        < 87 => Ethernet(0x0800, Ipv4(client, web, 6, Tcp(client, web, source, 80, flags), optionWords: 1 + random.Below(10))),
        < 89 => Ethernet(0x0800, Ipv4(client, web, 6, Tcp(client, web, source, 80, flags), fragment: 0x2000)),
        < 91 => Ethernet(0x0800, Ipv4(client, [198, 51, 100, 99], 6, Tcp(client, web, source, 80, flags))),
        < 93 => Ethernet(0x86dd, random.Bytes(40 + random.Below(40))),
        < 94 => Ethernet(0x0806, random.Bytes(28)),
        < 97 => Cut(Ethernet(0x0800, Ipv4(client, web, 6, Tcp(client, web, source, 80, flags)))),
        < 98 => Ethernet(0x0800, Ipv4(client, web, 47, random.Bytes(20))),
        _ => random.Bytes(1 + random.Below(100)),
    };
}

byte[] Cut(byte[] packet) => packet[..(1 + random.Below(packet.Length - 1))];

static byte[] Ethernet(ushort protocol, byte[] payload) => [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, .. Big(protocol), .. payload];

static byte[] Vlan(ushort id, ushort protocol, byte[] payload) => [.. Big(id), .. Big(protocol), .. payload];

byte[] Ipv4(byte[] source, byte[] destination, byte protocol, byte[] payload, int optionWords = 0, ushort fragment = 0)
{
    int header = 20 + 4 * optionWords;
    byte[] packet =
    [
        (byte)(0x45 + optionWords), (byte)random.Below(256), .. Big((ushort)(header + payload.Length)), .. Big((ushort)random.Below(65536)),
        .. Big(fragment), 64, protocol, 0, 0, .. source, .. destination, .. new byte[4 * optionWords], .. payload,
    ];
    Big(Checksum(packet.AsSpan(0, header), 0)).CopyTo(packet, 10);
    return packet;
}

byte[] Tcp(byte[] source, byte[] destination, ushort from, ushort to, byte flags)
{
    byte[] segment =
    [
        .. Big(from), .. Big(to), .. random.Bytes(8), 0x50, flags, .. Big((ushort)random.Below(65536)), 0, 0, 0, 0, .. random.Bytes(random.Below(60)),
    ];
    Big(Checksum(segment, Pseudo(source, destination, 6, segment.Length))).CopyTo(segment, 16);
    return segment;
}

byte[] Udp(byte[] source, byte[] destination, ushort from, ushort to, bool hasChecksum)
{
    byte[] payload = random.Bytes(random.Below(80));
    byte[] datagram = [.. Big(from), .. Big(to), .. Big((ushort)(8 + payload.Length)), 0, 0, .. payload];
    ushort sum = Checksum(datagram, Pseudo(source, destination, 17, datagram.Length));
    if (hasChecksum)
        Big(sum == 0 ? (ushort)0xffff : sum).CopyTo(datagram, 6);
    return datagram;
}

byte[] Icmp(byte type)
{
    byte[] message = [type, 0, 0, 0, .. random.Bytes(4 + random.Below(40))];
    Big(Checksum(message, 0)).CopyTo(message, 2);
    return message;
}

static uint Pseudo(byte[] source, byte[] destination, byte protocol, int length) => Sum([.. source, .. destination, 0, protocol, .. Big((ushort)length)]);

static uint Sum(ReadOnlySpan<byte> bytes)
{
    uint sum = 0;
    for (int i = 0; i < bytes.Length; i++)
        sum += (uint)bytes[i] << (i % 2 == 0 ? 8 : 0);
    return sum;
}

static ushort Checksum(ReadOnlySpan<byte> bytes, uint seed)
{
    uint sum = seed + Sum(bytes);
    while (sum > 0xffff)
        sum = (sum & 0xffff) + (sum >> 16);
    return (ushort)~sum;
}

static byte[] Big(ushort value) => [(byte)(value >> 8), (byte)value];

static void Write(Stream stream, params uint[] words)
{
    byte[] bytes = new byte[4 * words.Length];
    for (int i = 0; i < words.Length; i++)
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 * i), words[i]);
    stream.Write(bytes);
}

/// <summary>Numbers that are the same on every machine.</summary>
internal sealed class Sequence(ulong state)
{
    private ulong _state = state;

    public int Below(int limit)
    {
        _state = _state * 6364136223846793005 + 1442695040888963407;
        return (int)((_state >> 33) % (ulong)limit);
    }

    public byte[] Bytes(int count)
    {
        byte[] bytes = new byte[count];
        for (int i = 0; i < count; i++)
            bytes[i] = (byte)Below(256);
        return bytes;
    }
}
