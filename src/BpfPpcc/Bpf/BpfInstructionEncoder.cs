using BpfPpcc.Collections;

namespace BpfPpcc.Bpf;

/// <summary>Instruction slots in, bytes out (RFC 9669, 3.1), in the byte order of the writer.</summary>
public static class BpfInstructionEncoder
{
    public static void Write(ByteWriter bytes, BpfInstruction instruction)
    {
        // The two register fields change places with the byte order, as bit fields of C do.
        int registers = bytes.IsBigEndian
            ? (instruction.Dst << 4) | instruction.Src
            : (instruction.Src << 4) | instruction.Dst;
        bytes.WriteByte(instruction.Opcode);
        bytes.WriteByte((byte)registers);
        bytes.WriteUInt16((ushort)instruction.Offset);
        bytes.WriteUInt32((uint)instruction.Imm);
    }
}
