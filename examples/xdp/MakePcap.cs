// Writes a capture file with one packet of each kind that the example tells apart: dotnet run MakePcap.cs -- FILE
using System.Buffers.Binary;

if (args.Length != 1)
{
    Console.Error.WriteLine("usage: MakePcap FILE");
    return 2;
}

byte[][] packets =
[
    Ethernet(0x0800, Ipv4(6, Tcp(40000, 443))),
    Ethernet(0x0800, Ipv4(6, Tcp(40001, 23))),
    Ethernet(0x0800, Ipv4(17, Udp(40002, 53))),
    Ethernet(0x0800, Ipv4(6, Tcp(40003, 80), optionWords: 3)),
    Ethernet(0x0800, Ipv4(1, new byte[8])),
    Ethernet(0x86dd, Ipv6(6, Tcp(40004, 443))),
    Ethernet(0x86dd, Ipv6(17, Udp(40005, 23))),
    Ethernet(0x86dd, Ipv6(58, new byte[16])),
    Ethernet(0x8100, Vlan(7, 0x0800, Ipv4(6, Tcp(40006, 22)))),
    Ethernet(0x88a8, Vlan(100, 0x8100, Vlan(7, 0x86dd, Ipv6(17, Udp(40007, 123))))),
    Ethernet(0x0806, new byte[28]),
    Ethernet(0x0800, new byte[12]),
    Ethernet(0x0800, Ipv4(6, new byte[6])),
    Ethernet(0x8100, new byte[2]),
    new byte[9],
];

using FileStream file = File.Create(args[0]);
Write(file, 0xa1b2c3d4u, 0x00040002u, 0u, 0u, 65535u, 1u); // magic, version 2.4, zone, accuracy, snap length, Ethernet
for (int i = 0; i < packets.Length; i++)
{
    uint length = (uint)packets[i].Length;
    Write(file, 1_700_000_000u + (uint)i, 0u, length, length);
    file.Write(packets[i]);
}

return 0;

static void Write(Stream stream, params uint[] words)
{
    byte[] bytes = new byte[4 * words.Length];
    for (int i = 0; i < words.Length; i++)
        BinaryPrimitives.WriteUInt32LittleEndian(bytes.AsSpan(4 * i), words[i]);
    stream.Write(bytes);
}

static byte[] Ethernet(ushort protocol, byte[] payload) => [2, 0, 0, 0, 0, 1, 2, 0, 0, 0, 0, 2, .. Big(protocol), .. payload];

static byte[] Vlan(ushort id, ushort protocol, byte[] payload) => [.. Big(id), .. Big(protocol), .. payload];

static byte[] Ipv4(byte protocol, byte[] payload, int optionWords = 0) =>
[
    (byte)(0x45 + optionWords), 0, .. Big((ushort)(20 + 4 * optionWords + payload.Length)), 0, 1, 0, 0, 64, protocol, 0, 0,
    192, 0, 2, 1, 198, 51, 100, 1, .. new byte[4 * optionWords], .. payload,
];

static byte[] Ipv6(byte next, byte[] payload) =>
[
    0x60, 0, 0, 0, .. Big((ushort)payload.Length), next, 64,
    0x20, 1, 0xd, 0xb8, .. new byte[11], 1, 0x20, 1, 0xd, 0xb8, .. new byte[11], 2, .. payload,
];

static byte[] Tcp(ushort source, ushort destination) => [.. Big(source), .. Big(destination), .. new byte[8], 0x50, 2, .. new byte[6]];

static byte[] Udp(ushort source, ushort destination) => [.. Big(source), .. Big(destination), 0, 8, 0, 0];

static byte[] Big(ushort value) => [(byte)(value >> 8), (byte)value];
