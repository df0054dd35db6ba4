namespace BpfPpcc.Ppc64;

/// <summary>The one table of Power ISA instructions, from which encoder, decoder, printer and operand roles derive.</summary>
public static class Ppc64InstructionTable
{
}
