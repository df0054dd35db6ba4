using System.Buffers.Binary;

namespace BpfPpcc.Tests.Differential;

/// <summary>A program did what no valid program does: the interpreter's way to say so.</summary>
public sealed class BpfFaultException(string message) : Exception(message)
{
    /// <summary>The slot that was running, or -1.</summary>
    public int Slot { get; internal set; } = -1;

    public override string Message => Slot < 0 ? base.Message : $"slot {Slot}: {base.Message}";
}

/// <summary>A block of memory that a program may reach: context, stack frame, map, variable.</summary>
public sealed class MemoryRegion
{
    internal MemoryRegion(string name, ulong address, byte[] bytes, bool isWritable, bool isStack)
    {
        Name = name;
        Address = address;
        Bytes = bytes;
        IsWritable = isWritable;
        IsStack = isStack;
        if (isStack)
        {
            IsInitialised = new bool[bytes.Length];
            StoreStart = new short[bytes.Length];
            StoreWidth = new byte[bytes.Length];
        }
    }

    public string Name { get; }

    public ulong Address { get; }

    public byte[] Bytes { get; }

    public bool IsWritable { get; }

    public bool IsStack { get; }

    /// <summary>For a stack frame, by byte: written since the function began.</summary>
    internal bool[]? IsInitialised { get; }

    /// <summary>For a stack frame, by byte: where the store that wrote it began, and how many bytes it wrote.</summary>
    internal short[]? StoreStart { get; }

    internal byte[]? StoreWidth { get; }
}

/// <summary>
/// The address space of an interpreted program. Each region has a 4 GiB slice of addresses to itself, so that an access that
/// misses its region by less than that hits nothing. Addresses mean nothing to the program; <paramref name="slide"/> moves them all, by which
/// a test finds out whether an address leaked into a result.
/// </summary>
public sealed class InterpreterMemory(bool isBigEndian = false, uint slide = 0)
{
    private const int SliceBits = 32;
    private readonly ulong _firstSlice = slide == 0 ? 1UL : 0x4000;
    private readonly List<MemoryRegion> _regions = [];

    public MemoryRegion Add(string name, byte[] bytes, bool isWritable = true) => AddRegion(name, bytes, isWritable, isStack: false);

    /// <summary>What a new stack frame holds, which programs then may read; null: nothing that they may read.</summary>
    public Func<int, byte[]>? StackContents { get; init; }

    public MemoryRegion AddStack(int size)
    {
        MemoryRegion region = AddRegion("stack", StackContents?.Invoke(size) ?? new byte[size], isWritable: true, isStack: true);
        if (StackContents is not null)
            region.IsInitialised.AsSpan().Fill(true);
        return region;
    }

    private MemoryRegion AddRegion(string name, byte[] bytes, bool isWritable, bool isStack)
    {
        ulong address = ((_firstSlice + (ulong)_regions.Count) << SliceBits) + 0x1000_0000 + (slide & 0x0fff_fff0);
        var region = new MemoryRegion(name, address, bytes, isWritable, isStack);
        _regions.Add(region);
        return region;
    }

    /// <summary>Ends the life of the youngest region, a stack frame.</summary>
    public void RemoveLast() => _regions.RemoveAt(_regions.Count - 1);

    /// <summary>The region that holds an address, or null. The end address of a region belongs to it here: it may be computed.</summary>
    public MemoryRegion? RegionOf(ulong address)
    {
        ulong index = (address >> SliceBits) - _firstSlice;
        if (index >= (ulong)_regions.Count)
            return null;
        MemoryRegion region = _regions[(int)index];
        return address >= region.Address && address - region.Address <= (ulong)region.Bytes.Length ? region : null;
    }

    public ulong Load(ulong address, int size, Coverage? coverage = null)
    {
        MemoryRegion region = Check(address, size, isStore: false, out int offset);
        if (region.IsInitialised is not null)
        {
            bool overlaps = false;
            for (int i = offset; i < offset + size; i++)
            {
                if (!region.IsInitialised[i])
                    throw new BpfFaultException($"reads uninitialised stack at {offset - region.Bytes.Length}, {size} bytes");
                overlaps |= region.StoreStart![i] != offset || region.StoreWidth![i] != size;
            }

            if (overlaps)
                coverage?.Count("memory: load overlaps a stack store of other width or place");
        }

        ReadOnlySpan<byte> bytes = region.Bytes.AsSpan(offset, size);
        return size switch
        {
            1 => bytes[0],
            2 => isBigEndian ? BinaryPrimitives.ReadUInt16BigEndian(bytes) : BinaryPrimitives.ReadUInt16LittleEndian(bytes),
            4 => isBigEndian ? BinaryPrimitives.ReadUInt32BigEndian(bytes) : BinaryPrimitives.ReadUInt32LittleEndian(bytes),
            8 => isBigEndian ? BinaryPrimitives.ReadUInt64BigEndian(bytes) : BinaryPrimitives.ReadUInt64LittleEndian(bytes),
            _ => throw new InvalidOperationException($"access of {size} bytes"),
        };
    }

    public void Store(ulong address, int size, ulong value)
    {
        MemoryRegion region = Check(address, size, isStore: true, out int offset);
        if (region.IsInitialised is not null)
        {
            region.IsInitialised.AsSpan(offset, size).Fill(true);
            region.StoreStart.AsSpan(offset, size).Fill((short)offset);
            region.StoreWidth.AsSpan(offset, size).Fill((byte)size);
        }

        Span<byte> bytes = region.Bytes.AsSpan(offset, size);
        for (int i = 0; i < size; i++)
            bytes[i] = (byte)(value >> (8 * (isBigEndian ? size - 1 - i : i)));
    }

    private MemoryRegion Check(ulong address, int size, bool isStore, out int offset)
    {
        ulong index = (address >> SliceBits) - _firstSlice;
        if (index >= (ulong)_regions.Count)
            throw new BpfFaultException($"{(isStore ? "store to" : "load from")} 0x{address:x}, which is no memory");
        MemoryRegion region = _regions[(int)index];
        long distance = (long)(address - region.Address);
        if (distance < 0 || distance + size > region.Bytes.Length)
            throw new BpfFaultException($"{(isStore ? "store to" : "load from")} {region.Name}{distance:+0;-0;+0} of {region.Bytes.Length}, {size} bytes");
        if (isStore && !region.IsWritable)
            throw new BpfFaultException($"store to read-only {region.Name}");
        offset = (int)distance;
        return region;
    }
}
