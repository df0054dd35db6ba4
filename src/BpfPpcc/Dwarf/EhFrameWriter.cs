using BpfPpcc.Collections;

namespace BpfPpcc.Dwarf;

/// <summary>
/// Writes the contents of a PPC64 .eh_frame section: one CIE, then an FDE per function, in the format of the LSB Core specification
/// (10.6.1) with the call frame instructions of DWARF 5 (6.4.2, encodings 7.24). A function is written by <see cref="BeginFunction"/>,
/// its rows in the order of the code, and <see cref="EndFunction"/>. The initial location of each FDE is a field that the linker fills in:
/// <see cref="InitialLocations"/>.
/// </summary>
public sealed class EhFrameWriter
{
    /// <summary>Alignment of the section, to which every entry is padded.</summary>
    public const int Alignment = 8;

    private const int CodeAlignment = 4;
    private const int DataAlignment = -8;
    private const int StackPointer = 1;
    private const byte ReturnAddressRegister = 65;

    /// <summary>DW_EH_PE_pcrel | DW_EH_PE_sdata4.</summary>
    private const byte PointerEncoding = 0x1b;

    // Call frame instructions. The first three carry an operand in their low six bits.
    private const byte DW_CFA_advance_loc = 0x40;
    private const byte DW_CFA_offset = 0x80;
    private const byte DW_CFA_restore = 0xc0;
    private const byte DW_CFA_nop = 0x00;
    private const byte DW_CFA_advance_loc1 = 0x02;
    private const byte DW_CFA_advance_loc2 = 0x03;
    private const byte DW_CFA_advance_loc4 = 0x04;
    private const byte DW_CFA_restore_extended = 0x06;
    private const byte DW_CFA_remember_state = 0x0a;
    private const byte DW_CFA_restore_state = 0x0b;
    private const byte DW_CFA_def_cfa = 0x0c;
    private const byte DW_CFA_def_cfa_offset = 0x0e;
    private const byte DW_CFA_offset_extended_sf = 0x11;
    private const int LowOperandLimit = 64;

    private readonly ByteWriter _bytes;
    private readonly List<int> _initialLocations = [];
    private int _entryStart;
    private int _location;

    public EhFrameWriter(bool bigEndian)
    {
        _bytes = new ByteWriter(bigEndian);
        WriteCommonInformation();
    }

    public ReadOnlySpan<byte> Contents => _bytes.Written;

    /// <summary>By function, in the order of writing: byte offset of a 32-bit field that must get the distance from itself to the function's start.</summary>
    public IReadOnlyList<int> InitialLocations => _initialLocations;

    /// <param name="codeSize">Bytes of the function.</param>
    public void BeginFunction(int codeSize)
    {
        BeginEntry();
        _bytes.WriteUInt32((uint)_bytes.Length);
        _initialLocations.Add(_bytes.Length);
        _bytes.WriteUInt32(0);
        _bytes.WriteUInt32((uint)codeSize);
        _bytes.WriteUleb128(0);
        _location = 0;
    }

    public void EndFunction() => EndEntry();

    /// <summary>From the instruction at <paramref name="codeOffset"/> on the CFA is r1 + <paramref name="offset"/>.</summary>
    public void DefineCfaOffset(int codeOffset, int offset)
    {
        AdvanceTo(codeOffset);
        _bytes.WriteByte(DW_CFA_def_cfa_offset);
        _bytes.WriteUleb128((ulong)offset);
    }

    /// <summary>From <paramref name="codeOffset"/> on the caller's value of a register (DWARF number) is at CFA + <paramref name="offset"/>, a multiple of 8.</summary>
    public void Offset(int codeOffset, int register, int offset)
    {
        AdvanceTo(codeOffset);
        int factored = offset / DataAlignment;
        if (register < LowOperandLimit && factored >= 0)
        {
            _bytes.WriteByte((byte)(DW_CFA_offset | register));
            _bytes.WriteUleb128((ulong)factored);
            return;
        }

        _bytes.WriteByte(DW_CFA_offset_extended_sf);
        _bytes.WriteUleb128((ulong)register);
        _bytes.WriteSleb128(factored);
    }

    /// <summary>From <paramref name="codeOffset"/> on the rule of a register is as at the start of the function: it holds the caller's value.</summary>
    public void Restore(int codeOffset, int register)
    {
        AdvanceTo(codeOffset);
        if (register < LowOperandLimit)
        {
            _bytes.WriteByte((byte)(DW_CFA_restore | register));
            return;
        }

        _bytes.WriteByte(DW_CFA_restore_extended);
        _bytes.WriteUleb128((ulong)register);
    }

    public void RememberState(int codeOffset)
    {
        AdvanceTo(codeOffset);
        _bytes.WriteByte(DW_CFA_remember_state);
    }

    public void RestoreState(int codeOffset)
    {
        AdvanceTo(codeOffset);
        _bytes.WriteByte(DW_CFA_restore_state);
    }

    /// <summary>At the start of a function the CFA is r1 and everything holds the caller's value, the return address in LR.</summary>
    private void WriteCommonInformation()
    {
        const byte Version = 1;
        BeginEntry();
        _bytes.WriteUInt32(0);
        _bytes.WriteByte(Version);
        _bytes.WriteCString("zR");
        _bytes.WriteUleb128(CodeAlignment);
        _bytes.WriteSleb128(DataAlignment);
        _bytes.WriteByte(ReturnAddressRegister);
        _bytes.WriteUleb128(1);
        _bytes.WriteByte(PointerEncoding);
        _bytes.WriteByte(DW_CFA_def_cfa);
        _bytes.WriteUleb128(StackPointer);
        _bytes.WriteUleb128(0);
        EndEntry();
    }

    private void BeginEntry()
    {
        _entryStart = _bytes.Length;
        _bytes.WriteUInt32(0);
    }

    private void EndEntry()
    {
        while (_bytes.Length % Alignment != 0)
            _bytes.WriteByte(DW_CFA_nop);
        _bytes.PatchUInt32(_entryStart, (uint)(_bytes.Length - _entryStart - sizeof(uint)));
    }

    private void AdvanceTo(int codeOffset)
    {
        uint delta = (uint)(codeOffset - _location) / CodeAlignment;
        _location = codeOffset;
        if (delta == 0)
            return;
        if (delta < LowOperandLimit)
        {
            _bytes.WriteByte((byte)(DW_CFA_advance_loc | delta));
        }
        else if (delta <= byte.MaxValue)
        {
            _bytes.WriteByte(DW_CFA_advance_loc1);
            _bytes.WriteByte((byte)delta);
        }
        else if (delta <= ushort.MaxValue)
        {
            _bytes.WriteByte(DW_CFA_advance_loc2);
            _bytes.WriteUInt16((ushort)delta);
        }
        else
        {
            _bytes.WriteByte(DW_CFA_advance_loc4);
            _bytes.WriteUInt32(delta);
        }
    }
}
