namespace BpfPpcc.Btf;

/// <summary>The types of a .BTF section, by id.</summary>
public sealed class BtfTypes
{
}
