using System.Buffers.Binary;
using BpfPpcc.Bpf;
using BpfPpcc.Tests.Differential;

namespace BpfPpcc.Tests.Verification.Fuzz;

internal sealed class UnmodelledHelperException(string message) : Exception(message);

/// <summary>Helpers of Linux as far as their effect on registers and memory goes; what they give is random where it is not theirs to decide.</summary>
internal sealed class StressHelpers
{
    private readonly InterpreterMemory _memory;
    private readonly MemoryRegion _context;
    private readonly BpfProgramType _type;
    private readonly Prng _random;
    private readonly bool _isFresh;
    private readonly MemoryRegion[] _maps;
    private readonly Dictionary<(int Map, ulong Key), MemoryRegion> _elements = [];
    private readonly Dictionary<ulong, MemoryRegion?> _dynptrs = [];
    private MemoryRegion _packet;

    public StressHelpers(InterpreterMemory memory, MemoryRegion context, BpfProgramType type, byte[] packet, Prng random, bool isFresh)
    {
        _memory = memory;
        _context = context;
        _type = type;
        _random = random;
        _isFresh = isFresh;
        _maps = [.. StressMaps.All.Select(map => memory.Add("map", new byte[128], isWritable: false))];
        foreach (int map in (int[])[StressMaps.Array, StressMaps.PerCpuArray])
        {
            for (uint i = 0; i < StressMaps.Entries; i++)
                _elements[(map, i)] = memory.Add("map value", isFresh ? new byte[StressMaps.ValueSize] : Bytes(StressMaps.ValueSize));
        }

        if (!isFresh)
        {
            for (uint i = 0; i < 18; i += 2)
                _elements[(StressMaps.Hash, i)] = memory.Add("map value", Bytes(StressMaps.ValueSize));
        }

        _packet = memory.Add("packet", packet);
        SetPacketPointers();
    }

    /// <summary>Something was given that the kernel may give differently.</summary>
    public bool HasGuessed { get; private set; }

    public byte[] Packet => _packet.Bytes;

    public ulong PacketStart => _packet.Address;

    public ulong AddressOf(int map) => _maps[map].Address;

    /// <summary>Which map has its descriptor there, -1 if none.</summary>
    public int MapAt(ulong address) => Array.FindIndex(_maps, map => map.Address == address);

    public ulong Call(int id, ReadOnlySpan<ulong> r)
    {
        switch (id)
        {
            case 1:
                return Lookup(MapAt(r[0]), r[1]);
            case 2:
                return Result(Update(MapAt(r[0]), r[1], r[2], r[3]));
            case 3:
                return Result(Delete(MapAt(r[0]), r[1]));
            case 5 or 7 or 118 or 125 or 14 or 15 or 35 or 46 or 34 or 50 or 42:
                HasGuessed = true;
                return _random.Chance(30) ? 0 : _random.Value64();
            case 8:
                HasGuessed = true;
                return (ulong)_random.Next(8);
            case 6 or 23 or 51 or 11:
                HasGuessed = true;
                return _random.Next64() & 0x7fff_ffff;
            case 25 or 130:
                Read(id == 25 ? r[3] : r[1], id == 25 ? r[4] : r[2]);
                return Guess();
            case 16:
                Fill(r[0], (uint)r[1]);
                return Guess();
            case 4 or 113 or 148:
                Fill(r[0], (uint)r[1]);
                return Guess();
            case 45 or 115:
                Fill(r[0], (uint)r[1]);
                return _random.Coin() ? Result(-14) : (ulong)_random.Between(0, (int)(uint)r[1]);
            case 67:
                Fill(r[1], (uint)r[2]);
                return _random.Coin() ? Result(-14) : (ulong)_random.Between(0, (int)(uint)r[2]);
            case 26 or 68:
                Fill(r[2], (uint)r[3]);
                return Guess();
            case 189:
                Fill(r[2], (uint)r[3]);
                return Guess();
            case 9 or 190:
                Read(r[2], (uint)r[3]);
                if (id == 9)
                    ReplacePacket();
                else
                    Fill(_packet.Address, (ulong)_packet.Bytes.Length);
                return Guess();
            case 188:
                return (ulong)Packet.Length;
            case 28:
                Read(r[0], (uint)r[1]);
                Read(r[2], (uint)r[3]);
                HasGuessed = true;
                return _random.Next64() & uint.MaxValue;
            case 106:
                Read(r[0], r[1]);
                HasGuessed = true;
                _memory.Store(r[3], 8, _random.Value64());
                return Guess();
            case 38 or 39 or 44 or 65 or 54 or 10 or 18 or 19:
                ReplacePacket();
                return Guess();
            case 84:
                HasGuessed = true;
                Read(r[1], (uint)r[2]);
                return _random.Coin() ? 0 : _memory.Add("socket", Bytes(80), isWritable: false).Address;
            case 86:
                return 0;
            case 131:
                return Reserve(r[1]);
            case 132 or 133:
                return 0;
            case 198:
                MemoryRegion? record = r[1] > 65_528 || _random.Coin() ? null : _memory.Add("dynptr data", Bytes((int)r[1]));
                HasGuessed |= record is not null;
                _dynptrs[r[3]] = record;
                Fill(r[3], 16);
                return record is null ? Result(-22) : 0;
            case 199 or 200:
                _dynptrs.Remove(r[0]);
                return 0;
            case 203:
                HasGuessed = true;
                MemoryRegion? data = _dynptrs.GetValueOrDefault(r[0]);
                return data is null || r[1] + r[2] > (ulong)data.Bytes.Length ? 0 : data.Address + r[1];
            default:
                throw new UnmodelledHelperException($"helper {id}");
        }
    }

    private static ulong Result(int result) => (ulong)(long)result;

    /// <summary>Zero or an error.</summary>
    private ulong Guess()
    {
        HasGuessed = true;
        return _random.Coin() ? 0 : Result(-_random.Between(1, 100));
    }

    private void Fill(ulong address, ulong size)
    {
        HasGuessed = true;
        for (ulong i = 0; i < size; i++)
            _memory.Store(address + i, 1, _random.Next64());
    }

    private void Read(ulong address, ulong size)
    {
        for (ulong i = 0; i < size; i++)
            _memory.Load(address + i, 1);
    }

    /// <summary>The packet moves, as far as a program can tell.</summary>
    private void ReplacePacket()
    {
        HasGuessed = true;
        _packet = _memory.Add("packet", Bytes(_random.Pick(0, 14, 40, _packet.Bytes.Length)));
        SetPacketPointers();
    }

    private void SetPacketPointers()
    {
        int data = _type switch
        {
            BpfProgramType.XDP => 64,
            BpfProgramType.SCHED_CLS or BpfProgramType.SCHED_ACT or BpfProgramType.SOCKET_FILTER or BpfProgramType.CGROUP_SKB or BpfProgramType.LWT_XMIT
                or BpfProgramType.LWT_IN or BpfProgramType.LWT_OUT or BpfProgramType.SK_SKB => 256,
            _ => -1,
        };
        if (data < 0)
            return;
        BinaryPrimitives.WriteUInt64LittleEndian(_context.Bytes.AsSpan(data), _packet.Address);
        BinaryPrimitives.WriteUInt64LittleEndian(_context.Bytes.AsSpan(data + 8), _packet.Address + (ulong)_packet.Bytes.Length);
        BinaryPrimitives.WriteUInt64LittleEndian(_context.Bytes.AsSpan(data + 16), _packet.Address);
    }

    private ulong Reserve(ulong size)
    {
        if (size > 65_528 || (!_isFresh && _random.Coin()))
            return 0;
        return _memory.Add("ring buffer record", Bytes((int)size)).Address;
    }

    private ulong Key(int map, ulong address)
    {
        if (map == StressMaps.Trie)
            HasGuessed = true;
        return _memory.Load(address, map == StressMaps.Trie ? 8 : 4);
    }

    private ulong Lookup(int map, ulong key)
    {
        if (map < 0)
            throw new BpfFaultException("lookup in what is no map");
        if (map is StressMaps.ProgramArray or StressMaps.PerfEventArray or StressMaps.RingBuffer or StressMaps.DeviceMap)
            throw new UnmodelledHelperException($"lookup in map {map}");
        ulong at = Key(map, key);
        if (!_isFresh && map is StressMaps.LruHash or StressMaps.Trie && _random.Coin())
            _elements.TryAdd((map, at), _memory.Add("map value", Bytes(StressMaps.ValueSize)));
        return _elements.TryGetValue((map, at), out MemoryRegion? value) ? value.Address : 0;
    }

    private int Update(int map, ulong key, ulong value, ulong flags)
    {
        if (map is not (StressMaps.Array or StressMaps.Hash or StressMaps.PerCpuArray or StressMaps.LruHash or StressMaps.Trie))
            throw new UnmodelledHelperException($"update of map {map}");
        ulong at = Key(map, key);
        Read(value, StressMaps.ValueSize);
        bool isArray = map is StressMaps.Array or StressMaps.PerCpuArray;
        if (flags > 2)
            return -22;
        if (isArray && at >= StressMaps.Entries)
            return -7;
        if (isArray && flags == 1)
            return -17;
        bool exists = _elements.TryGetValue((map, at), out MemoryRegion? element);
        if (!exists && flags == 2)
            return -2;
        if (exists && flags == 1)
            return -17;
        if (!exists || !isArray)
        {
            if (!exists && _elements.Keys.Count(entry => entry.Map == map) >= StressMaps.Entries)
                return -7;
            _elements[(map, at)] = element = _memory.Add("map value", new byte[StressMaps.ValueSize]);
        }

        for (ulong i = 0; i < StressMaps.ValueSize; i++)
            element!.Bytes[i] = (byte)_memory.Load(value + i, 1);
        return 0;
    }

    private int Delete(int map, ulong key)
    {
        if (map is not (StressMaps.Array or StressMaps.Hash or StressMaps.PerCpuArray or StressMaps.LruHash or StressMaps.Trie))
            throw new UnmodelledHelperException($"deletion from map {map}");
        ulong at = Key(map, key);
        if (map is StressMaps.Array or StressMaps.PerCpuArray)
            return -22;
        return _elements.Remove((map, at)) ? 0 : -2;
    }

    private byte[] Bytes(int size)
    {
        var bytes = new byte[size];
        bool isQuiet = _random.Chance(30);
        for (int i = 0; i < size && !isQuiet; i++)
            bytes[i] = (byte)_random.Pick(0, _random.Next(256), _random.Next(256));
        return bytes;
    }
}
