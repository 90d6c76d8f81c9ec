"""What an operation costs as the store grows: stores of many interceptions, made and measured."""
